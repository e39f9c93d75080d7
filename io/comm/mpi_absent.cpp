// Linked in place of mpi.cpp when the build has no MPI.
#include "io/comm/comm.h"
#include "io/comm/launcher.h"

namespace temper {

std::unique_ptr<Comm> start_comm(double) {
    refuse_lost_tasks(1, false);
    return single_comm();
}

std::string comm_version() { return "none"; }

}  // namespace temper
