#include "io/comm/launcher.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "io/comm/comm.h"
#include "kernels/error.h"

namespace temper {
namespace {

int number_of(const char* variable) {
    const char* text = std::getenv(variable);
    return text ? std::atoi(text) : 0;
}

// Tasks of the Slurm step that we are a task of; 1 in a batch script, which also carries SLURM_NTASKS but runs once.
int slurm_tasks() {
    const bool is_task = std::getenv("SLURM_STEP_ID") || std::getenv("SLURM_STEPID") || number_of("SLURM_PROCID") > 0;
    if (!is_task) return 1;
    return std::getenv("SLURM_STEP_NUM_TASKS") ? number_of("SLURM_STEP_NUM_TASKS") : number_of("SLURM_NTASKS");
}

}  // namespace

bool open_mpi_launched() { return std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("PMIX_RANK") || std::getenv("PMIX_NAMESPACE"); }

bool pmi_launched() { return std::getenv("PMI_SIZE") || std::getenv("PMI_RANK"); }

int local_rank() {
    for (const char* variable : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"})
        if (std::getenv(variable) != nullptr) return std::max(0, number_of(variable));
    return 0;
}

void refuse_lost_tasks(int world_size, bool mpi_built) {
    if (world_size != 1) return;
    const char* remedy = mpi_built ? "start it with mpirun, or with srun --mpi=pmix where Slurm and MPI both speak PMIx"
                                   : "this build has no MPI: build with -DTEMPER_MPI=ON, or start one task";
    // mpirun -n 1 inside a Slurm step asks for one rank, whatever the step's number of tasks.
    if (const char* size = std::getenv("OMPI_COMM_WORLD_SIZE")) {
        if (std::atoi(size) > 1) throw_error(ExitCode::usage, "comm: mpirun started {} ranks, but each sees a world of one; {}", size, remedy);
        return;
    }
    const int pmi_size = number_of("PMI_SIZE");
    const int tasks = slurm_tasks();
    if (tasks > 1) throw_error(ExitCode::usage, "comm: Slurm started {} tasks, but each sees a world of one; {}", tasks, remedy);
    if (pmi_size > 1) throw_error(ExitCode::usage, "comm: the launcher started {} ranks, but each sees a world of one; {}", pmi_size, remedy);
}

}  // namespace temper
