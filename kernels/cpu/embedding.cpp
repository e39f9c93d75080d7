#include <cstring>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/row_loop.h"

namespace temper::cpu {

void embedding(Stream& stream, View out, View ids, View table) {
    const auto bytes = static_cast<std::size_t>(table.size(1) * size_of(table.dtype));
    const auto row = [](const View& view, std::int64_t i) { return static_cast<char*>(view.data) + i * view.stride[0] * size_of(view.dtype); };
    const std::int32_t* id = ids.as<std::int32_t>();
    for_rows(stream, out.size(0), out.size(1), [&](std::int64_t i) { std::memcpy(row(out, i), row(table, id[i]), bytes); });
}

}  // namespace temper::cpu
