#include "serve/embedding_request.h"

#include <bit>

#include "io/base64.h"
#include "serve/api_error.h"
#include "serve/request_fields.h"

namespace temper {
namespace {

constexpr std::size_t most_inputs = 2048;

}  // namespace

EmbeddingRequest parse_embedding_request(std::string_view body) {
    RequestFields fields(body);
    EmbeddingRequest request;
    request.model = fields.required_text("model");
    const Json* input = fields.find("input");
    if (input == nullptr) refuse("input", "input is missing");
    const Json list = input->is_array() ? *input : Json::array({*input});
    if (list.empty() || list.size() > most_inputs) refuse("input", "input: {} texts, expected 1 to {}", list.size(), most_inputs);
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (!list[i].is_string()) refuse("input", "input[{}] is {}, expected text: token ids are not taken", i, list[i].type_name());
        if (list[i].get_ref<const std::string&>().empty()) refuse("input", "input[{}] is empty", i);
        request.input.push_back(list[i].get<std::string>());
    }
    request.dimensions = fields.integer("dimensions", 1, 1 << 20);
    if (const auto format = fields.text("encoding_format")) {
        if (*format != "float" && *format != "base64")
            refuse("encoding_format", "encoding_format: '{}', expected float or base64", shortened(*format));
        request.base64 = *format == "base64";
    }
    fields.ignore("user");
    fields.refuse_others();
    return request;
}

std::string base64_of(const float* numbers, std::size_t count) {
    static_assert(std::endian::native == std::endian::little);
    return encode_base64({reinterpret_cast<const char*>(numbers), count * sizeof(float)});
}

}  // namespace temper
