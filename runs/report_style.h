// Style sheet of report.html; follows the reader's light or dark setting.
#pragma once

namespace temper {

inline constexpr const char* report_style = R"css(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5d6878;--line:#e1e5eb;--good:#157f4b;--bad:#bb2d3b;--busy:#a16207;
--c0:#2563c9;--c1:#c2570c;--c2:#0f8a6d;--c3:#8b3fc4}
@media (prefers-color-scheme:dark){:root{--page:#12161c;--card:#1b212a;--ink:#e4e9f0;--soft:#97a3b4;--line:#2d3643;--good:#4cc38a;--bad:#f1707b;--busy:#e0b341;
--c0:#6ea8fe;--c1:#f59e5b;--c2:#4fd1b0;--c3:#c79bf2}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;line-height:1.25;margin:0;overflow-wrap:anywhere}h2{font-size:18px;margin:36px 0 12px}
.sub{color:var(--soft);margin:4px 0 22px;overflow-wrap:anywhere}
.pill{display:inline-block;font-size:13px;font-weight:600;line-height:1;padding:5px 10px;border-radius:99px;border:1px solid;margin-left:12px;vertical-align:middle}
.finished{color:var(--good)}.failed{color:var(--bad)}.running,.preempted{color:var(--busy)}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(156px,1fr));gap:12px}
.tile,figure,.card{background:var(--card);border:1px solid var(--line);border-radius:10px}
.tile{padding:12px 14px}.tile span{display:block;color:var(--soft);font-size:13px}.tile b{font-size:20px;white-space:nowrap;font-weight:600;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:14px}
figure{margin:0;padding:12px 12px 6px}figcaption{font-weight:600;padding:0 2px 6px;display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline}
svg{display:block;width:100%;height:auto}.grid{stroke:var(--line);stroke-width:1}.tick{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}
.key{font-weight:400;font-size:13px;color:var(--soft)}.key::before{content:"";display:inline-block;width:12px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle}
.key b{color:var(--ink);font-variant-numeric:tabular-nums}
.k0::before{background:var(--c0)}.k1::before{background:var(--c1)}.k2::before{background:var(--c2)}.k3::before{background:var(--c3)}
path{fill:none;stroke-width:2;stroke-linejoin:round}.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.faint{opacity:.3;stroke-width:1.2}
.d0{fill:var(--c0)}.d1{fill:var(--c1)}.d2{fill:var(--c2)}.d3{fill:var(--c3)}
.hint{fill:transparent}.hint:hover{fill:var(--soft);fill-opacity:.12}
.card{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:7px 14px;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child>*{border-bottom:0}th{color:var(--soft);font-weight:500;white-space:nowrap}td{overflow-wrap:anywhere}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code,pre{font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}pre{margin:0;padding:12px 14px;white-space:pre-wrap;overflow-wrap:anywhere}
.error{border-color:var(--bad);color:var(--bad);padding:12px 14px;margin-bottom:16px;overflow-wrap:anywhere}
details{margin:12px 0}table.scores td{min-width:150px}table.scores .soft{white-space:nowrap}.v{font-variant-numeric:tabular-nums}.soft{color:var(--soft);font-size:13px}.span{width:120px;height:12px;margin-top:2px}
.better{color:var(--good);font-size:13px}.worse{color:var(--bad);font-size:13px}.same{color:var(--soft);font-size:13px}.fault{color:var(--bad);font-size:13px}
.mark{display:inline-block;font-size:12px;color:var(--soft);border:1px solid var(--line);border-radius:6px;padding:0 6px}
table.rows td{min-width:220px;max-width:520px}pre.text{padding:0;max-height:22em;overflow:auto}
details>summary{cursor:pointer;padding:10px 14px;color:var(--soft)}
@media print{body{background:#fff}figure,.tile,.card{break-inside:avoid}}
)css";

}  // namespace temper
