// Signs of life from rank 0 while it works alone for longer than a peer waits in silence: the deadline of comm.h starts anew at each.
#pragma once
#include <chrono>

#include "io/comm/comm.h"

namespace temper {

class KeepAlive {
  public:
    // Rank 0, before its work. A beat reaches the peers at most once every `interval_seconds`.
    explicit KeepAlive(Comm& comm, double interval_seconds = 30.0);
    void beat();
    // All ranks, after the work (or where there was none): the others wait here from the beginning of it.
    static void release(Comm& comm);

  private:
    Comm& comm_;
    std::chrono::duration<double> interval_;
    std::chrono::steady_clock::time_point last_;
};

}  // namespace temper
