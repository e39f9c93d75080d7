// The names of kernels/cuda/device.h on the host. A kernel runs in emulation/block.h as it would on a device, as far as a program may rely on:
// memory is checked at each access (memory.h, access.h), collective calls wait for every lane (block.h, warp.h), asynchronous copies arrive when
// they are waited for (copy_async.h). A check that fails is an internal Error, which the launch throws.
#pragma once
#include "kernels/cuda/emulation/memory.h"
#include "kernels/cuda/emulation/numbers.h"
#include "kernels/cuda/emulation/warp.h"
