// What the environment says of how this process was started. Variables are set by the launchers themselves; none of them chooses behaviour
// beyond "is there a world to join".
#pragma once

namespace temper {

bool open_mpi_launched();  // mpirun of Open MPI, or a launcher that speaks PMIx (srun --mpi=pmix)
bool pmi_launched();       // launchers of MPICH's family
// A job of several tasks that sees a world of one would be as many single runs over one another: usage error (2) saying how to start it.
void refuse_lost_tasks(int world_size, bool mpi_built);

}  // namespace temper
