// SPDX-License-Identifier: Apache-2.0
#include "portolan/object.hpp"

#include <fcntl.h>

#include <cstring>

#include "abi/attr.h"
#include "abi/command.h"
#include "abi/prog_type.h"
#include "api/backend.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "loader/legacy.h"
#include "loader/libbpf_object.h"

namespace portolan {

struct detail::ObjectState {
  explicit ObjectState(Runtime owner) : runtime(std::move(owner)) {}
  ObjectState(const ObjectState&) = delete;
  ObjectState& operator=(const ObjectState&) = delete;
  ~ObjectState() {
    for (const Program& program : programs) runtime.backend()->close_fd(program.fd());
    for (const auto& map : maps) runtime.backend()->close_fd(map.fd);
  }
  Runtime runtime;
  std::vector<loader::Loaded::Map> maps;
  std::vector<Program> programs;
};

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // of an object file

std::unexpected<Error> failed(int code, std::string detail) {
  return std::unexpected(Error(Operation::kLoad, code, std::move(detail)));
}

Expected<std::vector<std::byte>> read_file(const std::string& path) {
  const auto opened = sys::openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (!opened) return failed(opened.error().value, path + ": cannot be opened");
  const UniqueFd file(*opened);
  std::vector<std::byte> bytes;
  for (std::size_t room = 64 << 10;; room *= 2) {
    const std::size_t had = bytes.size();
    if (had > kMostBytes) return failed(EFBIG, path + ": too large for an object file");
    bytes.resize(had + room);
    const long got = sys::call(SYS_read, file.get(),
                               static_cast<long>(reinterpret_cast<std::intptr_t>(bytes.data() + had)),
                               static_cast<long>(room));
    bytes.resize(had + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0) return failed(static_cast<int>(-got), path + ": cannot be read");
    if (got == 0) return bytes;
  }
}

// "a/b/flow_counter.bpf.o": "flow_counter"
std::string name_of_file(const std::string& path) {
  const std::string file = path.substr(path.find_last_of('/') + 1);
  return file.substr(0, file.find('.'));
}

loader::LoadOptions options_of(const ObjectOptions& options) {
  loader::LoadOptions made{options.name, {}, options.log_level};
  made.max_entries = [wanted = options.max_entries](const std::string& map, std::uint32_t as_it_is) {
    for (const auto& [name, number] : wanted)
      if (name == map) return number;
    return as_it_is;
  };
  return made;
}

// A name among the options that no map has is a mistake.
std::string unknown_map(const ObjectOptions& options, const std::vector<loader::Loaded::Map>& maps) {
  for (const auto& wanted : options.max_entries) {
    bool is_there = false;
    for (const auto& map : maps) is_there |= map.name == wanted.first;
    if (!is_there) return wanted.first;
  }
  return {};
}

Result<loader::Loaded> load_into(detail::Backend& backend, std::span<const std::byte> bytes,
                                 const ObjectOptions& options, std::string* why) {
  if (!loader::is_legacy(bytes)) return loader::load_with_libbpf(backend, bytes, options_of(options), why);
  return loader::load_legacy(backend, TRY(loader::read_legacy(bytes, why)), options_of(options), why);
}

}  // namespace

Expected<TestRunResult> Program::test_run(const TestRun& run) const {
  const auto address = [](auto span) { return reinterpret_cast<std::uintptr_t>(span.data()); };
  const auto size = [](auto span) { return static_cast<std::uint32_t>(span.size()); };
  const auto type = static_cast<abi::ProgType>(type_);
  const bool is_syscall = type == abi::ProgType::kSyscall;
  abi::Attr attr{};
  auto& test = attr.test;
  test.prog_fd = static_cast<std::uint32_t>(fd_);
  test.data_in = address(run.data);
  test.data_size_in = size(run.data);
  test.data_out = address(run.data_out);
  test.data_size_out = size(run.data_out);
  test.ctx_in = address(run.context);
  test.ctx_size_in = size(run.context);
  if (is_syscall && !run.context_out.empty()) {
    // Such a program changes the context where it lies.
    if (run.context_out.size() != run.context.size())
      return std::unexpected(Error(Operation::kTestRun, EINVAL,
                                   "context_out must be as long as context for a program of type syscall"));
    std::memmove(run.context_out.data(), run.context.data(), run.context.size());
    test.ctx_in = address(run.context_out);
  } else {
    test.ctx_out = address(run.context_out);
    test.ctx_size_out = size(run.context_out);
  }
  // Those that run once by nature want to hear of no number.
  const bool runs_once = is_syscall || type == abi::ProgType::kRawTracepoint;
  test.repeat = runs_once && run.repeat == 1 ? 0 : run.repeat;
  test.flags = run.flags;
  test.cpu = run.cpu;
  const long result = runtime_.bpf(static_cast<int>(abi::Command::kProgTestRun), &attr, sizeof attr);
  if (result < 0) return std::unexpected(Error(Operation::kTestRun, static_cast<int>(-result)));
  return TestRunResult{test.retval, test.data_size_out,
                       is_syscall ? run.context_out.size() : test.ctx_size_out,
                       std::chrono::nanoseconds(test.duration)};
}

Expected<Object> Object::load(const Runtime& runtime, const std::string& path, const ObjectOptions& options) {
  const auto bytes = read_file(path);
  if (!bytes) return std::unexpected(bytes.error());
  ObjectOptions named = options;
  if (named.name.empty()) named.name = name_of_file(path);
  auto object = load(runtime, *bytes, named);
  if (object) return object;
  return failed(object.error().code(), path + ": " + object.error().detail());
}

Expected<Object> Object::load(const Runtime& runtime, std::span<const std::byte> bytes,
                              const ObjectOptions& options) {
  std::string why;
  auto loaded = load_into(*runtime.backend(), bytes, options, &why);
  while (why.ends_with('\n')) why.pop_back();
  if (!loaded) return failed(loaded.error().value, why);
  auto state = std::make_unique<detail::ObjectState>(runtime);
  state->maps = std::move(loaded->maps);
  for (auto& one : loaded->programs)
    state->programs.push_back(
        Program(runtime, std::move(one.name), std::move(one.section), one.type, one.fd));
  if (const std::string unknown = unknown_map(options, state->maps); !unknown.empty())
    return failed(ENOENT, "max_entries is given for \"" + unknown + "\", and there is no such map");
  return Object(std::move(state));
}

Object::Object(std::unique_ptr<detail::ObjectState> state) : state_(std::move(state)) {}
Object::Object(Object&&) noexcept = default;
Object& Object::operator=(Object&&) noexcept = default;
Object::~Object() = default;

const Runtime& Object::runtime() const { return state_->runtime; }
const std::vector<Program>& Object::programs() const { return state_->programs; }
const Program* Object::program(std::string_view name) const {
  for (const Program& program : state_->programs)
    if (program.name() == name) return &program;
  return nullptr;
}

std::vector<std::string> Object::map_names() const {
  std::vector<std::string> names;
  for (const auto& map : state_->maps) names.push_back(map.name);
  return names;
}
std::vector<int> Object::map_fds() const {
  std::vector<int> fds;
  for (const auto& map : state_->maps) fds.push_back(map.fd);
  return fds;
}

Expected<int> Object::duplicate(std::string_view name) const {
  for (const auto& map : state_->maps) {
    const bool is_meant = map.name == name || (name.starts_with('.') && map.name.ends_with(name));
    if (!is_meant) continue;
    const long fd = sys::call(SYS_fcntl, map.fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) return std::unexpected(Error(Operation::kFromFd, static_cast<int>(-fd)));
    return static_cast<int>(fd);
  }
  std::string all;
  for (const auto& map : state_->maps) all += (all.empty() ? "" : ", ") + map.name;
  return std::unexpected(
      Error(Operation::kFromFd, ENOENT, "no map is named \"" + std::string(name) + "\"; there are: " + all));
}

}  // namespace portolan
