"""Small templates, one idea each, and the variables that they see. Used by make_template_goldens.py."""

VARIABLES = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello <b>& 'you'</b>", "n": 1},
        {"role": "assistant", "content": None, "items": [1, 2], "n": 2},
    ],
    "s": "Hello, World",
    "u": "straße ÇA ﬁ Σίσυφος Ω",
    "blank": "  \t padded \n ",
    "empty": "",
    "i": 7,
    "neg": -7,
    "f": 2.5,
    "t": True,
    "fl": False,
    "nothing": None,
    "xs": [3, 1, 2],
    "words": ["b", "A", "c", "a", "B"],
    "nested": [[1, 2], [3, [4, None]], "x"],
    "d": {"b": 1, "a": {"x": [1, 2]}, "C": None},
    "people": [
        {"name": "Ann", "age": 31, "city": "Bern", "tags": ["x"]},
        {"name": "bob", "age": 25, "city": "Basel", "tags": []},
        {"name": "Cid", "age": 31, "city": "bern"},
    ],
    "big": 9007199254740993,
    "floats": [0.1, 1.0, 1e16, 1e-5, 123456789.125, 1e22, -0.0, 3.14159, 1e100, 5e-324],
    "lines": "one\n two\n\nthree\n",
}

LITERALS = r"""
{{ 1 }} {{ -1 }} {{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 00 }}
{{ 1.5 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 1E+2 }} {{ 1_0.2_5 }}
{{ 'a' }} {{ "b" }} {{ 'it''s' }} {{ "a" 'b' "c" }}
{{ 'tab\tnew\nquote\'back\\slash' }} {{ "\x41\u00e9\U0001F600\101\0end" }} {{ '\d\w' }}
{{ 'long\
line' }}
{{ true }} {{ True }} {{ false }} {{ False }} {{ none }} {{ None }}
{{ [] }} {{ [1, 'a', 2.0, none, true] }} {{ [1,] }}
{{ () }} {{ (1,) }} {{ (1, 2) }} {{ 1, 2 }} {{ (1) }}
{{ {} }} {{ {'a': 1, "b": [2]} }} {{ {1: 2, none: 3, true: 4, 1.5: 5} }} {{ {'a': 1, 'a': 2} }} {{ {'a': 1,} }}
{{ ['it\'s', "say \"x\"", 'both \' "', 'a\\b', 'nl\n', 'é', '\x01', '\u200b', '😀'] }}
{{ floats }}
{% for f in floats %}{{ f }} {% endfor %}
{{ big }} {{ big + 1 }} {{ 9223372036854775807 }}
{{ d }} {{ nested }} {{ messages[1] }}
{{ 'abc }}
{{ '\x4' }}
{{ '\ud800' }}
{{ 1 2 }}
{{ [1, 2 }}
{{ (1, 2] }}
{{ {1} }}
{{ 3abc }}
{{ $ }}
{{ }}
{{ 007 }}
""".strip().split("\n")
# The one literal that spans lines.
LITERALS = [line for line in LITERALS if line not in ("{{ 'long\\", "line' }}")] + ["{{ 'long\\\nline' }}"]

OPERATORS = r"""
{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7.5 // 2 }} {{ -7.5 // 2 }}
{{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 % 2 }} {{ -7.5 % 2 }} {{ 7 % -2.5 }}
{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2.0 ** 3 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 0 ** 0 }} {{ (-1) ** 3 }} {{ 4 ** 0.5 }}
{{ true + true }} {{ true * 3 }} {{ 1 + 1.0 }} {{ -true }} {{ +true }} {{ - -3 }} {{ +f }}
{{ 'a' + 'b' }} {{ 'ab' * 3 }} {{ 3 * 'ab' }} {{ 'ab' * -1 }} {{ [1] + [2] }} {{ [1] * 3 }} {{ (1,) + (2,) }} {{ xs + [9] }}
{{ 1 ~ 'a' ~ none ~ 2.0 ~ true ~ [1] ~ missing }} {{ 1 ~ 2 * 3 }}
{{ 'a' ~ 1 + 2 }}
{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 >= 2 != 1 }} {{ 1 == 1.0 }} {{ 1 == true }} {{ 'a' < 'b' }} {{ 'a' < 'é' }}
{{ [1, 2] < [1, 3] }} {{ [1] < [1, 2] }} {{ (1, 2) == (1, 2) }} {{ [1] == (1,) }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ none == none }} {{ none == false }}
{{ big == 9007199254740992.0 }} {{ big > 9007199254740992.0 }} {{ 'a' == 1 }} {{ missing == missing2 }} {{ missing == none }}
{{ 1 in xs }} {{ 9 in xs }} {{ 9 not in xs }} {{ 'ell' in s }} {{ '' in s }} {{ 'a' in d }} {{ 'z' not in d }} {{ 1 in (1, 2) }} {{ 'x' in missing }} {{ none in [none] }}
{{ 2 in range(3) }} {{ 'a' in d.keys() }} {{ {'x': [1, 2]} in d.values() }} {{ [1, 2] in nested }}
{{ not true }} {{ not 1 == 2 }} {{ not not '' }} {{ 1 and 2 }} {{ 0 and 2 }} {{ 0 or 'x' }} {{ '' or [] }} {{ 1 or missing.x }} {{ fl or nothing or 'last' }}
{{ 'y' if t else 'n' }} {{ 'y' if fl else 'n' }} {{ 'y' if fl }}| {{ 1 if fl else 2 if fl else 3 }} {{ ('a' if t) ~ 'b' }}
{{ xs[0] }} {{ xs[-1] }} {{ xs[1:] }} {{ xs[:-1] }} {{ xs[::-1] }} {{ xs[5] }}| {{ xs[-5] }}| {{ xs[1:100] }} {{ xs[-100:2] }} {{ xs[::2] }} {{ xs[2:0:-1] }} {{ xs[:] }} {{ xs[none:none] }}
{{ s[0] }} {{ s[-1] }} {{ s[7:] }} {{ s[::-1] }} {{ s[1:5:2] }} {{ s[100] }}| {{ s[100:] }}| {{ u[4] }} {{ u[::-1] }} {{ u[2:8] }} {{ u[-3:] }}
{{ (1, 2, 3)[1:] }} {{ range(5)[1] }} {{ range(5)[-1] }} {{ 'abc'[true] }}
{{ d.b }} {{ d['a'] }} {{ d.a.x[1] }} {{ d['a']['x'][0] }} {{ d.missing }}| {{ d['missing'] }}| {{ xs.0 }} {{ nested.1.1.0 }} {{ messages[0].role }} {{ messages[-1]['role'] }}
{{ people[0]['tags'][0] }} {{ (messages | first).content }} {{ messages[i - 6]['n'] }} {{ d[1] }}| {{ xs['a'] }}| {{ nothing.x }}| {{ i.x }}|
{{ messages[2].items() }}
{{ messages[2]['items'] }} {{ d.items is callable }} {{ d['items'] is callable }} {{ d.get('items') }} {{ d['b'] if 'b' in d }}
{{ s is string and s.upper() == 'HELLO, WORLD' }}
{{ 1 + 'a' }}
{{ 'a' + 1 }}
{{ 'a' - 'b' }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 1.0 / 0 }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ missing + 1 }}
{{ missing.attribute }}
{{ missing['item'] }}
{{ missing() }}
{{ d.missing.deeper }}
{{ d.missing.deeper is defined }}
{{ missing < 1 }}
{{ -missing }}
{{ -'a' }}
{{ [1] + (2,) }}
{{ 1 in 2 }}
{{ 1 in 'a' }}
{{ s() }}
{{ 'a'.nope() }}
{{ xs[::0] }}
{{ nothing[1:] }}
{{ d[1:2] }}
{{ {[1]: 2} }}
{{ 10 ** 400.5 }}
{{ not }}
{{ 1 if }}
{{ a.b. }}
{{ xs[ }}
{{ i = 3 }}
""".strip().split("\n")

STATEMENTS = [
    "{% for x in xs %}{{ x }},{% endfor %}",
    "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {{ loop.previtem is defined }} {{ loop.nextitem is defined }};{% endfor %}",
    "{% for x in xs %}{{ loop.cycle('odd', 'even') }} {{ loop.changed(x > 1) }} {{ loop.depth }}{{ loop.depth0 }};{% endfor %}",
    "{% for x in [] %}a{% else %}none{% endfor %}{% for x in missing %}a{% else %}none{% endfor %}{% for x in xs %}a{% else %}none{% endfor %}",
    "{% for x in xs if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% endfor %}{% for x in xs if x > 9 %}a{% else %}nothing{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for k, v in d|items %}{{ k }}{{ v }}{% endfor %}",
    "{% for a, b in [(1, 2), [3, 4], 'xy'] %}{{ a }}-{{ b }} {% endfor %}{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for c in 'aé😀' %}[{{ c }}]{% endfor %}{% for x in range(3) %}{{ x }}{% endfor %}{% for x in range(5, 0, -2) %}{{ x }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{{ loop.index }}{{ y }}{% endfor %}{{ loop.index }}|{% endfor %}",
    "{% for x in xs %}{% set outer = loop %}{% for y in xs %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for x in range(10) %}{% if x == 3 %}{% continue %}{% endif %}{% if x == 6 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% break %}{% else %}else{% endfor %}|{% for x in xs %}{% continue %}{% else %}else{% endfor %}",
    "{% for x in nested recursive %}{% if x is string or x is number or x is none %}{{ x }}{% else %}[{{ loop(x) }}]{{ loop.depth }}{% endif %}{% endfor %}",
    "{% set x = 1 %}{% for y in xs %}{{ x }}{% set x = y %}{{ x }};{% endfor %}{{ x }}",
    "{% for y in xs %}{{ z }}{% set z = y %}{% endfor %}{{ z is defined }}",
    "{% if true %}{% set a = 1 %}{% endif %}{{ a }}{% if false %}{% set b = 1 %}{% endif %}{{ b is defined }}",
    "{% if i > 5 %}big{% elif i > 3 %}mid{% else %}small{% endif %}{% if fl %}a{% elif t %}b{% elif t %}c{% else %}d{% endif %}{% if fl %}a{% endif %}",
    "{% if xs %}a{% endif %}{% if empty %}b{% endif %}{% if nothing %}c{% endif %}{% if missing %}d{% endif %}{% if 0.0 %}e{% endif %}{% if {} %}f{% endif %}{% if '0' %}g{% endif %}",
    "{% set a = 1 %}{% set b, c = 2, 3 %}{% set (e, g) = (4, 5) %}{{ a }}{{ b }}{{ c }}{{ e }}{{ g }}{% set a = a + 1 %}{{ a }}{% set h = 1, 2 %}{{ h }}",
    "{% set text %}a{{ i }}b{% endset %}{{ text }}{{ text|length }}{% set up | upper | trim %} x{{ i }}y {% endset %}{{ up }}",
    "{% set text %}{% set inner = 1 %}{% endset %}{{ inner is defined }}{{ text }}|",
    "{% set ns = namespace(a=1) %}{% for x in xs %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}{% set ns.b = 'new' %}{{ ns.b }}{{ ns['a'] }}{{ ns.c is defined }}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns }}",
    "{% set ns = namespace() %}{% set ns.x, y = 1, 2 %}{{ ns.x }}{{ y }}",
    "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c='z') }} {{ m(a=5) }} {{ m() }} {{ m(*[7, 8]) }} {{ m(**{'a': 9}) }}",
    "{% macro m(a) %}{{ varargs }}{{ kwargs }}{{ a }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}body {{ i }}{% endcall %}",
    "{% macro m(xs) %}{% for x in xs %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(x) m(xs) %}[{{ x }}]{% endcall %}",
    "{% macro fact(n) %}{% if n <= 1 %}1{% else %}{{ n * (fact(n - 1) | int) }}{% endif %}{% endmacro %}{{ fact(10) }}",
    "{% macro m() %}{{ later }}{{ i }}{% endmacro %}{% set later = 'set' %}{{ m() }}",
    "{% macro m(a) %}{% set a = a + 1 %}{{ a }}{% endmacro %}{{ m(1) }}{{ a is defined }}",
    "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(3) }}",
    "{% for x in xs %}{{ tools is defined }}{% endfor %}{% set tools = 1 %}{{ tools }}",
    "{% for x in xs %}{{ s }}{% endfor %}{% set s = 1 %}{{ s }}",
    "{% macro m() %}{{ s is defined }}{% endmacro %}{{ m() }}{% set s = 1 %}{{ m() }}",
    "{% macro m() %}{{ s is defined }}{% endmacro %}{{ m() }}{% if t %}{% set s = 1 %}{% endif %}{{ m() }}",
    "{% with a = 1, b = i %}{{ a }}{{ b }}{% set c = 3 %}{% endwith %}{{ a is defined }}{{ c is defined }}",
    "{% filter upper %}abc {{ s }}{% endfilter %}{% filter replace('a', 'b') | trim %} aaa {% endfilter %}|",
    "{% print 1, 'a' %}",
    "{% raw %}{{ not }} {% this %} {# either #}{% endraw %}",
    "a {#- comment -#} b {# c #}d",
    "{% if t: %}colon{% endif %}",
    "{% generation %}abc{% endgeneration %}",
    "é{% for m in messages %}{{ m.role }}{% generation %}<ü{{ m.role }}>{% endgeneration %}{% endfor %}",
    "{% for x in xs %}{% generation %}{% set z = x %}{{ z }}{% endgeneration %}{{ z is defined }}{% endfor %}",
    "a{% generation %}b{% generation %}c{% endgeneration %}d{% endgeneration %}e",
    "{% macro m() %}x{% generation %}yz{% endgeneration %}{% endmacro %}ab{{ m() }}cd",
    "{% set v %}x{% generation %}yz{% endgeneration %}{% endset %}ab{{ v }}",
    "{{ dict(a=1, b=2) }}{{ dict({'x': 1}, y=2) }}{{ dict([(1, 2)]) }}{{ dict() }}",
    "{{ range(3) }}{{ range(1, 4) }}{{ range(0, 10, 3) }}{{ range(3)|list }}{{ range(0)|list }}",
    "{{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%d %b %Y, %H:%M:%S %A %B %j %p %I %y %%') }} {{ strftime_now('%f|%z|%Z|é') }}",
    "{{ raise_exception('stop ' ~ i) }}",
    "{% if fl %}{{ raise_exception('no') }}{% endif %}fine",
    "{{ messages.append(1) }}",
    "{{ d.update({'a': 1}) }}",
    "{{ d.pop('a') }}",
    "{{ xs.sort() }}",
    "{{ xs.append is defined }}{{ xs.append }}|{{ s.__class__ }}|{{ s.__class__ is defined }}",
    "{{ s.__class__.mro() }}",
    "{% set ns = namespace(_a=1) %}",
    "{% set ns = namespace() %}{% set ns._a = 1 %}",
    "{% set s.x = 1 %}",
    "{% set d.x = 1 %}",
    "{% set 1 = 2 %}",
    "{% set true = 2 %}",
    "{% set a, b = 1 %}",
    "{% set a, b = 1, 2, 3 %}",
    "{% for a, b in xs %}{% endfor %}",
    "{% for x in 5 %}{% endfor %}",
    "{% for x in none %}{% endfor %}",
    "{% for loop in xs %}{% endfor %}",
    "{% for x in xs %}{% set loop = 1 %}{% endfor %}",
    "{% break %}",
    "{% for x in xs %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for x in xs %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% for x in xs %}{% set y %}{% break %}{% endset %}{% endfor %}ok",
    "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% call s %}{% endcall %}",
    "{% if %}{% endif %}",
    "{% if t %}",
    "{% endif %}",
    "{% for x in xs %}{% endif %}",
    "{% else %}",
    "{% unknown %}",
    "{% do xs %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{{ x",
    "{% if t ",
    "{# open",
    "{% raw %} open",
    "{% set x = %}",
    "{{ f(a=1, 2) }}",
    "{{ namespace(1, 2) }}",
    "{{ range() }}",
    "{{ range(0, 3, 0) }}",
    "{{ range(1000000) }}",
    "{% for x in nested %}{{ loop(x) }}{% endfor %}",
    "{{ loop.index }}",
]

WHITESPACE = [
    "a\n{% if t %}\nb\n{% endif %}\nc\n",
    "a\n  {% if t %}\n  b\n  {% endif %}\n  c",
    "a {% if t %} b {% endif %} c",
    "a\n  {%- if t -%}\n  b\n  {%- endif -%}\n  c",
    "a\n  {%+ if t +%}\n  b\n  {%+ endif +%}\n  c",
    "a  {{- i -}}  b\n {{ i }}\n c",
    "  {{ i }}\n{{ i }}\n",
    "a\n\n",
    "a\n",
    "a\r\nb\rc\r\n{% if t %}\r\nd{% endif %}",
    "  {# c #}\n  x {# c #} y\n{#- c -#}\n z {#+ c +#}\n",
    "{% if t %}\n\n\nx{% endif %}",
    "{% if t -%}\n\u00a0\n x{%- endif %}",
    "x\t\u00a0{%- if t %}y{% endif %}",
    "{%- raw -%}\n  {{ x }} \n{%- endraw -%}\n y",
    "  {% raw %}\n  a\n  {% endraw %}\n b",
    "{{ 'a' }}\n{{ 'b' }}\n",
    "   \n   {% if t %}x{% endif %}",
    "{% for x in xs %}\n  {{ x }}\n{% endfor %}\nend",
    "{% for x in xs -%}\n  {{ x }}\n{%- endfor %}\nend",
    "{{- -1 }} {{+1}} {{-1}}",
    "{",
    "{ { % x } }",
    "a{",
    "}} %} #}",
    "{{ '}}' }}{{ '%}' }}{{ {'a': {'b': 1}}}}",
    "{% set x = {'a': {'b': 2}} %}{{ x }}",
]

FILTERS = r"""
{{ blank|trim }}|{{ 'xxaxx'|trim('x') }}|{{ 5|trim }}|{{ '\u00a0a\u3000'|trim }}
{{ xs|length }}{{ s|count }}{{ d|length }}{{ u|length }}{{ missing|length }}{{ ''|length }}{{ range(4)|length }}
{{ xs|first }}{{ xs|last }}{{ s|first }}{{ s|last }}{{ []|first }}|{{ []|last }}|{{ d|first }}{{ d|last }}
{{ xs|join }} {{ xs|join(', ') }} {{ people|join(', ', attribute='name') }} {{ 'abc'|join('-') }} {{ [1, none, 'x', 2.0]|join('|') }} {{ missing|join(',') }}
{{ s|upper }} {{ s|lower }} {{ s|title }} {{ s|capitalize }} {{ u|upper }} {{ u|lower }} {{ u|title }} {{ u|capitalize }} {{ none|upper }} {{ 'foo-bar (baz) [qux] {a} <b> it\'s'|title }} {{ 'ŉ ǆ ﬃ'|title }}
{{ s|replace('l', 'L') }} {{ s|replace('l', 'L', 1) }} {{ s|replace('l', '') }} {{ 'aaa'|replace('', '-') }} {{ 5|replace(5, 6) }} {{ 'aaaa'|replace('aa', 'b') }} {{ 'abc'|replace('', '-', 2) }}
{{ missing|default }}|{{ missing|default('x') }}|{{ ''|default('x') }}|{{ ''|default('x', true) }}|{{ none|d('x') }}|{{ none|d('x', boolean=true) }}|{{ d.q|d('deep') }}|{{ 0|default(5, true) }}
{{ 'abc'|list }} {{ d|list }} {{ (1, 2)|list }} {{ xs|list }} {{ missing|list }}
{{ d|items|list }} {{ missing|items|list }} {{ d|dictsort }} {{ d|dictsort(true) }} {{ {'a': 2, 'b': 1}|dictsort(by='value') }} {{ {'a': 2, 'b': 1}|dictsort(reverse=true) }} {{ {'a': 2, 'b': 1}|dictsort(false, 'value', true) }}
{{ people|map(attribute='name')|list }} {{ people|map(attribute='zip', default='-')|list }} {{ words|map('upper')|list }} {{ words|map('replace', 'a', 'x')|join }} {{ xs|map('string')|list }} {{ []|map('upper')|list }}
{{ xs|select|list }} {{ xs|select('odd')|list }} {{ xs|reject('odd')|list }} {{ xs|select('gt', 1)|list }} {{ [0, 1, '', none]|reject|list }} {{ xs|select('in', [1, 2])|list }} {{ xs|select('divisibleby', 3)|list }}
{{ people|selectattr('tags')|map(attribute='name')|list }} {{ people|selectattr('age', 'equalto', 31)|list|length }} {{ people|rejectattr('age', 'eq', 31)|map(attribute='name')|list }} {{ people|selectattr('tags', 'defined')|list|length }} {{ people|rejectattr('tags', 'undefined')|list|length }} {{ messages|selectattr('role', '==', 'user')|list }}
{{ people|map(attribute='tags.0')|list }}
{{ people[:2]|map(attribute='tags.0')|list }}
{{ (xs|map('string')) is string }} {{ (xs|map('string')) is sequence }} {{ (xs|map('string')) is iterable }} {{ 'yes' if []|select }} {{ (xs|select)|first }} {% set g = xs|map('string') %}{{ g|join }}{{ g|join }}|
{{ 5|string + 'x' }} {{ none|string }} {{ [1]|string }} {{ 2.0|string }} {{ true|string }}
{{ '42'|int }} {{ ' 42 '|int }} {{ '4_2'|int }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ '3.9'|int }} {{ 3.9|int }} {{ -3.9|int }} {{ true|int }} {{ 'ff'|int(0, 16) }} {{ '0xff'|int(base=16) }} {{ '0b11'|int(base=2) }} {{ none|int }} {{ ''|int }} {{ '1e3'|int }} {{ '-5'|int }} {{ '0x1f'|int(base=0) }} {{ []|int(1) }}
{{ '1.5'|float }} {{ '1e3'|float }} {{ 'x'|float }} {{ 'x'|float(2.0) }} {{ 3|float }} {{ 'inf'|float }} {{ '-inf'|float }} {{ 'nan'|float }} {{ '.5'|float }} {{ '5.'|float }} {{ ' 1_0 '|float }} {{ none|float }} {{ '1e400'|float }}
{{ -3|abs }} {{ -2.5|abs }} {{ true|abs }} {{ (-3)|abs }}
{{ 2.5|round }} {{ 3.5|round }} {{ -2.5|round }} {{ 2.675|round(2) }} {{ 42|round }} {{ 42.55|round(1, 'floor') }} {{ 42.51|round(1, 'ceil') }} {{ 1234.5|round(-2) }} {{ 1250|round(-2) }} {{ 1350|round(-2) }} {{ 0.5|round }} {{ 1.005|round(2) }} {{ 7|round(1, 'ceil') }} {{ true|round }}
{{ d|tojson }} {{ 'é"\\/\n\t\x01<>&\'😀'|tojson }} {{ [1, 1.0, true, none, 1e20]|tojson }} {{ (1, 2)|tojson }} {{ {}|tojson }}{{ []|tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }} {{ floats|tojson }}
{{ d|tojson(indent=2) }} {{ [1, [2, {}], []]|tojson(indent=4) }} {{ d|tojson(indent='--') }} {{ d|tojson(indent=0) }} {{ []|tojson(indent=2) }}
{{ 'é😀'|tojson(ensure_ascii=true) }} {{ 'é'|tojson(true) }} {{ 'é'|tojson(ensure_ascii=False) }} {{ {'b': 1, 'a': 2}|tojson(sort_keys=true) }} {{ {'b': 1, 'a': [1, 2]}|tojson(separators=(',', ':')) }} {{ {'b': 1, 'a': [1]}|tojson(indent=1, separators=[' , ', ' : ']) }}
{{ 'nan'|float|tojson }} {{ 'inf'|float|tojson }} {{ messages|tojson }}
{{ lines|indent }}| {{ lines|indent(2) }}| {{ lines|indent(2, true) }}| {{ lines|indent(2, first=true, blank=true) }}| {{ lines|indent('> ') }}| {{ 'x'|indent }}| {{ ''|indent(2, true) }}|
{{ xs|sort }} {{ xs|sort(reverse=true) }} {{ words|sort }} {{ words|sort(case_sensitive=true) }} {{ people|sort(attribute='age')|map(attribute='name')|list }} {{ people|sort(attribute='age,name')|map(attribute='name')|list }} {{ 'cab'|sort }} {{ d|sort }} {{ people|sort(true, attribute='city')|map(attribute='name')|list }}
{{ words|unique|list }} {{ words|unique(true)|list }} {{ [1, 1.0, true, 2]|unique|list }} {{ people|unique(attribute='age')|map(attribute='name')|list }}
{{ xs|reverse|list }} {{ s|reverse }} {{ u|reverse }} {{ (1, 2)|reverse|list }} {{ d|reverse|list }}
{{ xs|sum }} {{ people|sum(attribute='age') }} {{ xs|sum(start=10) }} {{ []|sum }} {{ [[1], [2]]|sum(start=[]) }} {{ [1.5, 2]|sum }}
{{ xs|min }} {{ xs|max }} {{ words|min }} {{ words|max }} {{ words|max(case_sensitive=true) }} {{ []|min }}| {{ (people|min(attribute='age')).name }} {{ (people|max(attribute='age')).name }} {{ 'hello'|max }}
{{ '<a>&"\''|e }} {{ '<a>'|escape }} {{ '<a>'|safe }} {{ '<a>'|e|e }} {{ '<a>'|e|forceescape }} {{ ('<a>'|safe) + '<b>' }} {{ '<b>' + ('<a>'|safe) }} {{ ('<a>'|safe) ~ '<b>' }} {{ ('<a>'|safe)|length }} {{ ['<a>'|safe] }} {{ ('<a>'|safe) is escaped }} {{ ('<%s>'|safe) % '<b>' }} {{ ('<a>'|safe).replace('a', '<') }} {{ ('a'|safe)|upper + '<' }}
{{ 'Hello, big  wörld 2 it\'s'|wordcount }} {{ ''|wordcount }}
{{ '%s is %d, %5.2f %x %05d|%-5s|%5s|%%|%r|%e|%g|%+d|%o|%c|%.2s'|format('a', 5, 3.14159, 255, 42, 'ab', 'cd', 'q', 12345.678, 0.0001, 3, 8, 'z', 'long') }} {{ '%(a)s-%(b)03d'|format(a='x', b=7) }} {{ '%s' % 5 }} {{ '%s %s' % (1, [2]) }} {{ '%(x)s' % {'x': 1} }} {{ '%s' % missing }}| {{ '%d' % 3.9 }} {{ '%*d' % (5, 42) }} {{ '%#x' % 255 }}
{{ 'abc'|center(9) }}| {{ [1, 2, 3, 4, 5]|batch(2)|list }} {{ [1, 2, 3]|batch(2, 'x')|list }} {{ 'foo bar baz qux'|truncate(9) }} {{ 'foo bar baz qux'|truncate(9, true) }} {{ 'foo bar baz qux'|truncate(11) }} {{ 'foo bar baz qux'|truncate(11, false, '!', 0) }}
{% for city, group in people|groupby('city') %}{{ city }}:{{ group|map(attribute='name')|join(',') }};{% endfor %}
{{ d|attr('b') }}| {{ s|attr('upper') is callable }} {{ 'a,b'|upper|lower|trim|replace(',', '.')|length }} {{ -1|string }} {{ s|upper is string }}
{{ 5|upper|lower }} {{ [3, 2]|sort|first }} {{ ('a' ~ 'b')|upper }} {{ 'a' ~ 'b'|upper }} {{ 1 + 2|string|int }}
{{ s|nope }}
{{ 5|length }}
{{ none|length }}
{{ 5|list }}
{{ 5|join }}
{{ missing|tojson }}
{{ [missing]|tojson }}
{{ namespace()|tojson }}
{{ range(3)|tojson }}
{{ (xs|map('string'))|tojson }}
{{ {(1, 2): 3}|tojson }}
{{ [1, 'a']|sort }}
{{ [1, 'a']|sum }}
{{ ['a']|sum }}
{{ 'a'|abs }}
{{ 'a'|round }}
{{ 1.5|round(1, 'up') }}
{{ xs|dictsort }}
{{ xs|items|list }}
{{ d|dictsort(by='x') }}
{{ xs|map|list }}
{{ xs|map('nope')|list }}
{{ xs|select('nope')|list }}
{{ people|selectattr|list }}
{{ xs|join(attribute='x', sep=',') }}
{{ s|trim(1, 2, 3) }}
{{ missing|float }}
{{ missing|abs }}
{{ xs|max(1, 2, 3, 4) }}
{{ 5|indent }}
{{ '%d' % 'a' }}
{{ '%s %s' % 1 }}
{{ '%s' % (1, 2) }}
{{ '%q' % 1 }}
{{ (xs|map('string'))|length }}
{{ (xs|map('string'))|last }}
{{ 'inf'|float|int }}
""".strip().split("\n")

TESTS = r"""
{{ s is defined }} {{ missing is defined }} {{ missing is undefined }} {{ d.q is not defined }} {{ nothing is defined }} {{ d.a.x is defined }}
{{ nothing is none }} {{ s is none }} {{ s is not none }} {{ missing is none }}
{{ none is None }}
{{ s is string }} {{ 5 is string }} {{ 5 is number }} {{ 5.0 is number }} {{ true is number }} {{ '5' is number }}
{{ 5 is integer }} {{ true is integer }} {{ 5.0 is integer }} {{ 5.0 is float }} {{ 5 is float }} {{ true is boolean }} {{ 1 is boolean }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ 0 is false }}
{{ d is mapping }} {{ xs is mapping }} {{ dict() is mapping }} {{ xs is iterable }} {{ s is iterable }} {{ 5 is iterable }} {{ d is iterable }} {{ missing is iterable }} {{ none is iterable }} {{ range(2) is iterable }}
{{ xs is sequence }} {{ s is sequence }} {{ d is sequence }} {{ 5 is sequence }} {{ (1,) is sequence }} {{ range(2) is sequence }} {{ missing is sequence }} {{ d.items() is sequence }} {{ d.keys() is iterable }} {{ namespace() is mapping }} {{ namespace() is iterable }}
{{ range is callable }} {{ s.upper is callable }} {{ s is callable }} {{ raise_exception is callable }} {{ namespace is defined }} {{ strftime_now is defined }}
{{ 1 is eq 1 }} {{ 1 is equalto(1) }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 2 is gt 1 }} {{ 2 is ge 2 }} {{ 2 is le 1 }} {{ 1 is sameas 1 }} {{ none is sameas none }} {{ 'a' is eq('a') }}
{{ 2 is in xs }} {{ 'e' is in s }} {{ 9 is not in xs }} {{ 9 is in(xs) }} {{ 4 is even }} {{ 4 is odd }} {{ -3 is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(4) }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'aB' is lower }} {{ '' is lower }} {{ 'ß1' is lower }} {{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }}
{{ not s is string }} {{ s is string and 5 is integer }} {{ s is string == true }} {{ 5 is integer or missing.x }} {{ 'a' if s is string else 'b' }} {{ (s is string) ~ 'x' }} {{ xs[0] is odd }} {{ -1 is number }} {{ s|length is gt 5 }}
{{ 1 is nope }}
{{ 'a' is odd }}
{{ 1 is divisibleby }}
{{ 1 is divisibleby 0 }}
{{ 1 is in 5 }}
{{ s is string is string }}
{{ s is }}
{{ missing is even }}
""".strip().split("\n")

METHODS = r"""
{{ blank.strip() }}|{{ blank.lstrip() }}|{{ blank.rstrip() }}|{{ 'xyaxy'.strip('xy') }}|{{ 'xyaxy'.lstrip('yx') }}|{{ 'xyaxy'.rstrip('y') }}|{{ 'éaé'.strip('é') }}|{{ 'a'.strip(none) }}
{{ 'a b  c'.split() }} {{ 'a,b,,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ 'a b c'.split(none, 1) }} {{ 'a b c'.split(maxsplit=1) }} {{ ''.split() }} {{ ''.split(',') }} {{ ' a  b '.split(' ') }} {{ 'a<x>b<x>c'.split('<x>')[-1] }} {{ 'abc'.split(sep='b') }} {{ 'a b c '.split(None, 0) }}
{{ 'a,b,c'.rsplit(',', 1) }} {{ 'a b  c'.rsplit(none, 1) }} {{ 'a b c'.rsplit() }} {{ 'a,b'.rsplit(',') }} {{ ' a b '.rsplit(none, 1) }}
{{ s.startswith('Hell') }} {{ s.startswith('ell') }} {{ s.startswith(('x', 'H')) }} {{ s.startswith('ell', 1) }} {{ s.startswith('') }} {{ s.startswith('', 99) }} {{ s.endswith('ld') }} {{ s.endswith(('a', 'ld')) }} {{ s.endswith('Hello', 0, 5) }} {{ s.startswith(()) }}
{{ s.upper() }} {{ s.lower() }} {{ 'hello wörld it\'s'.title() }} {{ 'hELLO'.capitalize() }} {{ 'aB'.swapcase() }} {{ u.upper() }} {{ u.lower() }} {{ u.title() }} {{ 'ßa'.capitalize() }} {{ 'ΑΣ ΑΣΑ Σ'.lower() }} {{ 'İ'.lower()|length }}
{{ s.replace('l', 'L') }} {{ s.replace('l', 'L', 2) }} {{ s.replace('zz', '') }} {{ 'ab'.replace('', '.') }}
{{ s.find('o') }} {{ s.find('z') }} {{ s.find('o', 5) }} {{ s.rfind('o') }} {{ u.find('ﬁ') }} {{ s.index('W') }} {{ s.find('o', 0, 3) }} {{ s.find('', 3) }} {{ s.find('o', -4) }} {{ s.rindex('l') }}
{{ ', '.join(words) }} {{ ''.join(['a', 'b']) }} {{ '-'.join('abc') }} {{ ','.join(d) }} {{ 'x'.join([]) }}|
{{ 'a\nb\r\nc\rd\u2028e'.splitlines() }} {{ 'a\n\nb\n'.splitlines() }} {{ 'a\nb\n'.splitlines(true) }} {{ ''.splitlines() }} {{ 'a\x0bb\x0cc\x1dd\x85e'.splitlines()|length }}
{{ '{} {}'.format(1, 'a') }} {{ '{0}{1}{0}'.format('x', 'y') }} {{ '{a}-{b}'.format(a=1, b=2) }} {{ '{{}}'.format() }} {{ '{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd') }} {{ '{:05d} {:.2f} {:,} {:x} {:+d} {:e} {:%}'.format(42, 3.14159, 1234567, 255, 3, 12345.678, 0.25) }} {{ '{!r} {!s}'.format('a', 'b') }} {{ '{0[a]} {0[x]}'.format({'a': 1, 'x': 2}) }} {{ '{0[1]}'.format([1, 2]) }} {{ '{:.3}'.format('abcdef') }} {{ '{:{}}|'.format('a', 4) }} {{ '{}'.format(none) }} {{ '{:5}|{:<5}|{:05.1f}|{:g}'.format(42, 42, 2.25, 1e-7) }} {{ '{:,.2f}'.format(1234567.891) }} {{ '{:b} {:o} {:#x} {:X}'.format(5, 8, 255, 255) }}
{{ s.count('l') }} {{ 'aaa'.count('aa') }} {{ 'abc'.count('') }} {{ s.count('l', 4) }} {{ '123'.isdigit() }} {{ '12a'.isdigit() }} {{ ''.isdigit() }} {{ '²'.isdigit() }} {{ 'abc'.isalpha() }} {{ 'ab1'.isalnum() }} {{ ' \t'.isspace() }} {{ 'abc'.islower() }} {{ 'ABC'.isupper() }} {{ 'a'.isascii() }} {{ 'é'.isascii() }} {{ 'é'.isalpha() }}
{{ s.removeprefix('Hello, ') }} {{ s.removesuffix('World') }} {{ s.removeprefix('x') }} {{ 'aa'.removeprefix('aa') }}| {{ 'a.b.c'.partition('.') }} {{ 'a.b.c'.rpartition('.') }} {{ 'abc'.partition('.') }} {{ 'abc'.rpartition('.') }}
{{ '5'.zfill(3) }} {{ '-5'.zfill(4) }} {{ 'a'.ljust(3) }}| {{ 'a'.rjust(3, '.') }} {{ 'ab'.center(5) }}| {{ 'a'.center(4) }}| {{ 'é'.rjust(3) }} {{ 'ab'.center(7, '*') }} {{ 'abc'.center(6) }}|
{{ xs.index(2) }} {{ xs.count(1) }} {{ (1, 2, 1).count(1) }} {{ (1, 2).index(2) }} {{ [1, true, 1.0].count(1) }} {{ xs.copy() }}
{{ d.get('a') }} {{ d.get('q') }} {{ d.get('q', 5) }} {{ d.items()|list }} {{ d.keys()|list }} {{ d.values()|list }} {{ d.keys() }} {{ d.values() }} {{ d.items() }} {{ d.copy() }} {{ d.items()|length }}
{{ messages[2].get('items') }} {{ messages[0].get('x', {}).get('y', 'z') }} {{ d.get('a').get('x')[0] }} {{ d.get(1) }}
{{ 'a'.upper().lower().strip() }} {{ 'abc'[1:].upper() }} {{ [1, 2].index(2) + 1 }} {{ '</think>' in s }} {{ 'a</think>b'.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') }}
{{ 'a'.strip(1) }}
{{ 'a'.split('') }}
{{ 'a'.split(1) }}
{{ s.startswith(1) }}
{{ s.startswith(['H']) }}
{{ s.index('z') }}
{{ ','.join([1, 2]) }}
{{ xs.index(9) }}
{{ '{}'.format() }}
{{ '{a}'.format(b=1) }}
{{ '{'.format(1) }}
{{ '{:d}'.format('a') }}
{{ '{:q}'.format(1) }}
{{ '{0.__class__}'.format(1) }}|
{{ d.get() }}
{{ d.get([1]) }}
{{ s.replace('a') }}
{{ s.upper(1) }}
{{ d.setdefault('a', 1) }}
{{ d.clear() }}
{{ xs.extend([1]) }}
{{ xs.pop() }}
{{ xs.insert(0, 1) }}
{{ nothing.get('a') }}
{{ i.upper() }}
""".strip().split("\n")

LARGE = [
    "{{ '(' * 3 }}" + "{{ " + "(" * 20 + "1" + ")" * 20 + " }}",
    "{{ " + "(" * 60000,
    "{{ " + "[" * 60000,
    "{{ " + "-" * 60000 + "1 }}",
    "{% if t %}" * 5000,
    "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s + 'y' %}{% endfor %}{{ ns.s|length }}",
]

SNIPPETS = LITERALS + OPERATORS + STATEMENTS + WHITESPACE + FILTERS + TESTS + METHODS + [s for s in LARGE if len(s) < 2000]
