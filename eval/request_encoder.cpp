#include "eval/request_encoder.h"

#include <algorithm>

#include "eval/python_text.h"
#include "kernels/error.h"

namespace temper {

RequestEncoder::RequestEncoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    const std::optional<std::int32_t> prefix = tokenizer.bos_id() ? tokenizer.bos_id() : tokenizer.eos_id();
    if (!prefix)
        throw_error(ExitCode::usage, "the tokenizer has neither a bos_token nor an eos_token, one of which stands before a text without context");
    prefix_ = *prefix;
    prefix_text_ = tokenizer.decode({&prefix_, 1}, false);
}

std::vector<std::int32_t> RequestEncoder::encode(const std::string& text) const {
    const bool has_prefix = !prefix_text_.empty() && text.starts_with(prefix_text_);
    return tokenizer_.encode(text, !has_prefix);
}

LoglikelihoodRequest RequestEncoder::pair(std::string context, std::string continuation) const {
    LoglikelihoodRequest request;
    if (context.empty()) {
        request.continuation = tokenizer_.encode(continuation, false);
        if (!request.continuation.empty() && request.continuation[0] == prefix_) request.continuation.erase(request.continuation.begin());
        request.context = {prefix_};
    } else {
        const std::size_t kept = python_rstrip(context).size();
        continuation = context.substr(kept) + continuation;
        context.resize(kept);
        request.context = encode(context);
        const std::vector<std::int32_t> whole = encode(context + continuation);
        if (whole.size() > request.context.size())
            request.continuation.assign(whole.begin() + static_cast<std::ptrdiff_t>(request.context.size()), whole.end());
    }
    if (request.context.empty() || request.continuation.empty())
        throw_error(ExitCode::bad_data, "the continuation \"{}\" is no token behind its context \"{}\"", continuation,
                    context.size() > 80 ? "…" + context.substr(context.size() - 80) : context);
    return request;
}

std::vector<LoglikelihoodRequest> RequestEncoder::windows(const std::string& text, std::int64_t max_length) const {
    const std::vector<std::int32_t> tokens = encode(text);
    std::vector<LoglikelihoodRequest> windows;
    const auto size = static_cast<std::int64_t>(tokens.size());
    const auto at = [&](std::int64_t i) { return tokens.begin() + i; };
    for (std::int64_t predicted = 0; predicted < size;) {
        const std::int64_t count = std::min(size - predicted, max_length), end = predicted + count;
        LoglikelihoodRequest window;
        // A last window that is not full reaches back: what it sees twice is context.
        if (predicted == 0) window.context = {prefix_};
        else window.context.assign(at(end - max_length - 1), at(predicted));
        window.continuation.assign(at(predicted), at(end));
        windows.push_back(std::move(window));
        predicted = end;
    }
    return windows;
}

}  // namespace temper
