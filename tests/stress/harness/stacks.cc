#include "tests/stress/harness/stacks.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>

namespace cambium::stress {
namespace {

std::atomic<const Reporter*> fatal_reporter{nullptr};

void OnFatalSignal(int signal) {
  std::signal(signal, SIG_DFL);
  const Reporter* const reporter = fatal_reporter.exchange(nullptr);
  if (reporter != nullptr) {
    // Not safe in a signal handler; the process is lost anyway, and the line is worth the risk.
    std::printf("FAILURE: signal %d\n%s\n", signal, reporter->RepeatLine().c_str());
    std::fflush(stdout);
    DumpStacks();
  }
  ::raise(signal);
}

}  // namespace

void DumpStacks() {
  std::fflush(stdout);
  const std::string pid = std::to_string(::getpid());
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(STDOUT_FILENO, STDERR_FILENO);
    ::execlp("timeout", "timeout", "100", "gdb", "-nx", "-batch", "-p", pid.c_str(), "-ex",
             "set width 0", "-ex", "thread apply all bt 40", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  if (child > 0) ::waitpid(child, &status, 0);
  if (status != 0) std::printf("no stacks: gdb could not be run\n");
  std::fflush(stdout);
}

void DumpOnFatalSignals(const Reporter* reporter) {
  fatal_reporter.store(reporter);
  std::signal(SIGABRT, OnFatalSignal);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  std::signal(SIGSEGV, OnFatalSignal);
  std::signal(SIGBUS, OnFatalSignal);
  std::signal(SIGFPE, OnFatalSignal);
  std::signal(SIGILL, OnFatalSignal);
#endif
}

}  // namespace cambium::stress
