#include "io/comm/keep_alive.h"

namespace temper {
namespace {

constexpr MessageTag tag = MessageTag::keep_alive;  // between rank 0 and a peer: 1, still at work; 0, done

void tell_peers(Comm& comm, char at_work) {
    for (int peer = 1; peer < comm.size(); ++peer) comm.send(&at_work, sizeof at_work, peer, tag);
}

}  // namespace

KeepAlive::KeepAlive(Comm& comm, double interval_seconds) : comm_(comm), interval_(interval_seconds), last_(std::chrono::steady_clock::now()) {}

void KeepAlive::beat() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < interval_) return;
    last_ = now;
    tell_peers(comm_, 1);
}

void KeepAlive::release(Comm& comm) {
    if (comm.rank() == 0) return tell_peers(comm, 0);
    char at_work = 1;
    while (at_work != 0) comm.receive(&at_work, sizeof at_work, 0, tag);
}

}  // namespace temper
