// The language of `temper runs query`: conditions on what records hold, compiled to SQL in which every name and value is a bound parameter.
//
//   condition  = and { "or" and };   and = not { "and" not };   not = [ "not" ] test
//   test       = "(" condition ")" | value ( compare value | [ "not" ] "in" "(" literal { "," literal } ")" | "is" [ "not" ] "null" | [ "not" ] "like" text )
//   compare    = "=" "==" "!=" "<>" "<" "<=" ">" ">=";   value = field | literal;   literal = number | 'text' | true | false
//   field      = status, run_id ... | section "." name, where a name of other characters stands in backquotes: metrics.`acc,none`
//
// A comparison with what a run does not have is false, as is one of a number with a text; `not` turns that around.
#pragma once
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

struct RunQuery {
    struct Field {
        std::string name;
        std::size_t column = 0;  // in the text, from 1
    };
    std::string sql;           // a condition on a row r of the table runs (run_index.h)
    std::vector<Json> values;  // its parameters, in order
    std::vector<Field> fields;
};

// usage: "query: column 9: ..." with what was found and expected.
RunQuery compile_run_query(const std::string& text);
// Of "metrics.loss,metrics.`quiz/acc,none`": names as in a condition, joined by commas; `place` opens messages.
std::vector<std::string> split_field_names(const std::string& text, const std::string& place);
// SQL of a field's value in row r, one parameter: its name. usage Error for a name that no record can have; `place` opens it.
std::string run_field_sql(const std::string& name, const std::string& place);

}  // namespace temper
