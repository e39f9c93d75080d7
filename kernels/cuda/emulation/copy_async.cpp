#include "kernels/cuda/emulation/copy_async.h"

#include <cstring>

#include "kernels/cuda/emulation/access.h"
#include "kernels/cuda/emulation/block.h"

namespace temper::cuda::emulation {

void begin_copy(unsigned char* to, Trace* traces, const void* from) {
    Copies& copies = *running().self().copies;
    Copies::Copy& copy = copies.under_way.emplace_back();
    copy = {to, traces, {}, copies.groups};
    if (from != nullptr) std::memcpy(copy.bytes.data(), from, copy.bytes.size());
}

// All groups but the last `but_last` committed ones; what no group was committed for stays under way.
void Copies::wait(std::uint32_t but_last) {
    std::size_t arrived = 0;
    while (arrived < under_way.size() && under_way[arrived].group + but_last < groups) {
        const Copy& copy = under_way[arrived++];
        std::memcpy(copy.to, copy.bytes.data(), copy.bytes.size());
        if (copy.traces != nullptr) note_copy_end(copy.traces, copy.bytes.size());
    }
    under_way.erase(under_way.begin(), under_way.begin() + static_cast<std::ptrdiff_t>(arrived));
}

}  // namespace temper::cuda::emulation
