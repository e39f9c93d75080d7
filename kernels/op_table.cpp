#include "kernels/op_table.h"

namespace temper {

const OpTable& kernels_of(Device device) {
    if (device == Device::cpu) return cpu::table;
    const OpTable* const table = cuda::table();
    if (table == nullptr) throw_error(ExitCode::internal, "this build has no kernels for device {}", name_of(device));
    return *table;
}

}  // namespace temper
