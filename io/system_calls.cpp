#include "io/system_calls.h"

#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace temper {

namespace {
SystemCalls the_real_ones;
SystemCalls* in_use = &the_real_ones;
}  // namespace

int SystemCalls::open(const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); }
ssize_t SystemCalls::write(int fd, const void* bytes, std::size_t count) { return ::write(fd, bytes, count); }
int SystemCalls::fsync(int fd) { return ::fsync(fd); }
int SystemCalls::close(int fd) { return ::close(fd); }
int SystemCalls::rename(const char* from, const char* to) { return ::rename(from, to); }
int SystemCalls::link(const char* from, const char* to) { return ::link(from, to); }
int SystemCalls::mkdir(const char* path, mode_t mode) { return ::mkdir(path, mode); }
int SystemCalls::unlink(const char* path) { return ::unlink(path); }
int SystemCalls::rmdir(const char* path) { return ::rmdir(path); }

SystemCalls& system_calls() { return *in_use; }

SystemCallsOverride::SystemCallsOverride(SystemCalls& calls) : previous_(in_use) { in_use = &calls; }
SystemCallsOverride::~SystemCallsOverride() { in_use = previous_; }

}  // namespace temper
