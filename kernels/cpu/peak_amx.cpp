#include "kernels/cpu/amx_registers.h"
#include "kernels/cpu/peak.h"

namespace temper::cpu {

double spin_amx(long rounds) {
    TileRegisters::configure(config_of(2 * kTile));
    TileRegisters::zero<0>();
    TileRegisters::zero<1>();
    TileRegisters::zero<2>();
    TileRegisters::zero<3>();
    for (long round = 0; round < rounds; ++round) {
        TileRegisters::multiply<4, 0, 2>();
        TileRegisters::multiply<5, 0, 3>();
        TileRegisters::multiply<6, 1, 2>();
        TileRegisters::multiply<7, 1, 3>();
    }
    TileRegisters::release();
    constexpr double flop = 2.0 * kTile * kTile * (kTileBytes / 2);
    return static_cast<double>(rounds) * 4 * flop;
}

}  // namespace temper::cpu
