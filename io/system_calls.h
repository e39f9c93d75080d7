// The calls by which temper changes the file system. They go through one object, so that a test can make the k-th of them fail,
// write less than asked, or end the process there.
#pragma once
#include <cstddef>

#include <sys/types.h>

namespace temper {

// Each returns what the system call returns and sets errno as it does.
class SystemCalls {
  public:
    virtual ~SystemCalls() = default;
    virtual int open(const char* path, int flags, mode_t mode);
    virtual ssize_t write(int fd, const void* bytes, std::size_t count);
    virtual int fsync(int fd);
    virtual int close(int fd);
    virtual int rename(const char* from, const char* to);
    virtual int link(const char* from, const char* to);
    virtual int mkdir(const char* path, mode_t mode);
    virtual int unlink(const char* path);
    virtual int rmdir(const char* path);
};

SystemCalls& system_calls();

// Puts `calls` in the place of the real ones for its own lifetime. For tests, on one thread.
class SystemCallsOverride {
  public:
    explicit SystemCallsOverride(SystemCalls& calls);
    ~SystemCallsOverride();
    SystemCallsOverride(const SystemCallsOverride&) = delete;
    SystemCallsOverride& operator=(const SystemCallsOverride&) = delete;

  private:
    SystemCalls* previous_;
};

}  // namespace temper
