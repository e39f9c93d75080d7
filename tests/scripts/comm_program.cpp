// The program that comm_test.sh runs under mpirun: comm_program MODE [TIMEOUT]. Ends with 0, or with the code of the error met.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include <unistd.h>

#include "io/comm/keep_alive.h"
#include "kernels/error.h"

namespace temper {
namespace {

void require(bool condition, const char* what) {
    if (!condition) throw_error(ExitCode::internal, "comm_program: {} does not hold", what);
}

void exchange(Comm& comm) {
    const int n = comm.size(), me = comm.rank();
    for (int round = 0; round < 200; ++round) {
        require(comm.all_max(me * 10 + round) == (n - 1) * 10 + round, "all_max");
        require(comm.all_sum(me + round) == n * (n - 1) / 2 + n * round, "all_sum");
    }
    for (int root = 0; root < n; ++root) {
        for (std::size_t size : {std::size_t(0), std::size_t(1), std::size_t(8), std::size_t(4099), std::size_t(3) << 20}) {
            std::vector<unsigned char> bytes(size, static_cast<unsigned char>(me == root ? root + 7 : 0));
            comm.broadcast(bytes.data(), size, root);
            for (unsigned char byte : bytes) require(byte == root + 7, "broadcast");
        }
    }
    // A ring: even ranks send first, odd ones receive first.
    if (n % 2 == 0) {
        std::vector<std::int64_t> out(100'003, me), in(100'003, -1);
        const int next = (me + 1) % n, before = (me + n - 1) % n;
        const std::size_t size = out.size() * sizeof(std::int64_t);
        if (me % 2 == 0) comm.send(out.data(), size, next, MessageTag::vectors);
        comm.receive(in.data(), size, before, MessageTag::vectors);
        if (me % 2 == 1) comm.send(out.data(), size, next, MessageTag::vectors);
        for (std::int64_t value : in) require(value == before, "receive");
    }
    comm.barrier();
}

// Longer than one chunk of 256 MiB, by an odd amount.
void large(Comm& comm) {
    const std::size_t size = (std::size_t(300) << 20) + 17;
    std::vector<unsigned char> bytes(size);
    if (comm.rank() == 0) {
        for (std::size_t i = 0; i < size; i += 4093) bytes[i] = static_cast<unsigned char>(i >> 12);
        bytes[size - 1] = 201;
        comm.send(bytes.data(), size, 1, MessageTag::gathered_rows);
    } else if (comm.rank() == 1) {
        comm.receive(bytes.data(), size, 0, MessageTag::gathered_rows);
        for (std::size_t i = 0; i < size; i += 4093) require(bytes[i] == static_cast<unsigned char>(i >> 12) || i == size - 1, "large message");
        require(bytes[size - 1] == 201, "last byte");
    }
}

// Rank 0 works alone for 4 s, with signs of life or in silence.
void alone(Comm& comm, bool silent) {
    if (comm.rank() == 0) {
        KeepAlive alive(comm, 0.5);
        for (int i = 0; i < 40; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            if (!silent) alive.beat();
        }
    }
    KeepAlive::release(comm);
    comm.barrier();
}

void run(Comm& comm, const char* mode) {
    const int last = comm.size() - 1;
    if (!std::strcmp(mode, "alive") || !std::strcmp(mode, "silent")) return alone(comm, mode[0] == 's');
    if (!std::strcmp(mode, "exchange")) return exchange(comm);
    if (!std::strcmp(mode, "large")) return large(comm);
    if (!std::strcmp(mode, "size")) return void(comm.rank() == 0 && std::printf("%d %s\n", comm.size(), comm_version().c_str()));
    comm.barrier();
    if (!std::strcmp(mode, "error") && comm.rank() == last) throw_error(ExitCode::bad_data, "comm_program: an error on rank {}", last);
    if (!std::strcmp(mode, "kill") && comm.rank() == last) raise(SIGKILL);
    if (!std::strcmp(mode, "stop") && comm.rank() == last) raise(SIGSTOP);
    for (int i = 0; i < 10; ++i) comm.barrier();
    if (!std::strcmp(mode, "requeue")) throw_error(ExitCode::requeue, "comm_program: stopped");
}

int main_of(int argc, char** argv) {
    try {
        const auto comm = start_comm(argc > 2 ? std::atof(argv[2]) : 30.0);
        try {
            run(*comm, argc > 1 ? argv[1] : "exchange");
        } catch (const Error& error) {
            std::fprintf(stderr, "%s\n", error.what());
            if (error.code() != ExitCode::requeue) comm->abort(static_cast<int>(error.code()));
            return static_cast<int>(error.code());
        }
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return static_cast<int>(error.code());
    }
    return 0;
}

}  // namespace
}  // namespace temper

int main(int argc, char** argv) { return temper::main_of(argc, argv); }
