// SPDX-License-Identifier: Apache-2.0
// Where a runtime's kernel types come from.
//
// The first process that needs them writes kernel.btf into the runtime's directory, and nobody ever changes
// that file: ids in programs keep their meaning in every process, on a machine with another kernel too, and
// for as long as the runtime. It holds
//
//   - the types of a file that the user gave, or else of the machine's kernel, with ours that are missing
//     there behind them (kernel_types.h), or
//   - where there is none of both, ours alone.
//
// The file is written under another name and linked to its own when it is whole (one store, the file
// system's). Of two processes that write one, the second finds the name taken and reads the first one's.
// Killed before the link, a process leaves a file in staging/ behind, which a sweep takes away; after it, all
// is done.
//
// What lies there is outside data: each process checks it as it does any BTF, and works on a copy.
#include "helper/kernel_btf.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <new>
#include <optional>

#include "abi/limits.h"
#include "base/random.h"
#include "base/sys.h"
#include "helper/kernel_types.h"
#include "sync/atomic.h"
#include "sync/seam.h"

namespace portolan::helper {
namespace {

constexpr const char* kOfMachine = "/sys/kernel/btf/vmlinux";

Result<std::vector<std::byte>> contents_of(int file) {
  struct ::stat status{};
  TRY(sys::fstat(file, status));
  if (!S_ISREG(status.st_mode)) return fail(EINVAL);
  if (status.st_size <= 0 || status.st_size > abi::kMaxBtfSize) return fail(E2BIG);
  try {
    std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
    std::size_t done = 0;
    while (done < bytes.size()) {
      const std::size_t more = TRY(sys::pread(file, bytes.data() + done, bytes.size() - done, done));
      if (more == 0) return fail(EIO);
      done += more;
    }
    return bytes;
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

Result<std::vector<std::byte>> contents_of(const char* path) {
  const UniqueFd file(TRY(sys::openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC)));
  return contents_of(file.get());
}

// Runtimes of one process mostly have the same types: each is parsed once, and stays.
struct Parsed {
  btf::Btf types;
  const Parsed* next = nullptr;
};
sync::Atomic<const Parsed*> all_parsed;

bool same(ConstBytes a, ConstBytes b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// No lock, which a fork could leave locked: of two that parse the same at once, both stay.
Result<const btf::Btf*> parse_once(ConstBytes blob) {
  btf::Btf types = TRY(btf::Btf::parse(blob));
  const Parsed* first = all_parsed.load_acquire();  // pairs with the exchange below
  for (const Parsed* one = first; one != nullptr; one = one->next)
    if (same(one->types.type_section(), types.type_section()) &&
        same(one->types.string_section(), types.string_section()))
      return &one->types;
  auto mine = std::make_unique<Parsed>(std::move(types));
  do mine->next = first;
  while (!all_parsed.cas_acq_rel(first, mine.get()));
  return &mine.release()->types;
}

class KernelTypes final : public object::Extension {
 public:
  explicit KernelTypes(object::Runtime& runtime) : runtime_(runtime) {}

  Result<const btf::Btf*> types() {
    if (const btf::Btf* const known = types_.load_acquire(); known != nullptr) return known;  // pairs below
    const UniqueFd file = TRY(open());
    const std::vector<std::byte> bytes = TRY(contents_of(file.get()));
    const btf::Btf* const parsed = TRY(parse_once(bytes));
    types_.store_release(parsed);  // pairs with the load above
    return parsed;
  }

  Result<UniqueFd> open() {
    auto there = open_existing();
    if (there || there.error().value != ENOENT) return there;
    const std::vector<std::byte> machine = TRY(types_of_machine());
    TRY(write(complete(machine)));
    return open_existing();
  }
  Result<UniqueFd> open_existing() {
    constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
    return UniqueFd(TRY(sys::openat(runtime_.directory_fd(), kKernelBtfFile, kFlags)));
  }

  // There are a hundred thousand types to look through.
  Result<std::uint32_t> id_of_struct(const char* name) {
    Known* found = nullptr;
    for (Known& one : known_)
      if (one.name == std::string_view(name)) found = &one;
    if (found != nullptr && found->id.load_relaxed() != 0) return found->id.load_relaxed();
    const btf::Btf& all = *TRY(types());
    const std::uint32_t id = TRY(all.find_by_name(name, btf::Kind::kStruct));
    if (found != nullptr) found->id.store_relaxed(id);
    return id;
  }

  // EEXIST: there are others.
  Result<void> give(const btf::Btf* given) {
    auto there = open_existing();
    if (!there && there.error().value == ENOENT) {
      TRY(write(given == nullptr ? own_kernel_types() : completed(*given)));
      there = open_existing();
    }
    if (!there) return fail(there.error());
    const btf::Btf* const types = TRY(this->types());
    const btf::Btf own = TRY(btf::Btf::parse(own_kernel_types()));
    return begins_with(*types, given == nullptr ? own : *given) ? Result<void>{} : fail(EEXIST);
  }

  void check(shm::Findings& findings) override {
    const auto there = open_existing();
    if (!there && there.error().value == ENOENT) return;
    if (!types()) findings.corrupt(kKernelBtfFile, "is not BTF");
  }

 private:
  // What the machine has, if it can be read; else nothing.
  static Result<std::vector<std::byte>> types_of_machine() {
    auto bytes = contents_of(kOfMachine);
    if (!bytes && bytes.error().value == ENOMEM) return bytes;
    return bytes.value_or(std::vector<std::byte>{});
  }
  static std::vector<std::byte> complete(const std::vector<std::byte>& machine) {
    const auto types = btf::Btf::parse(machine);
    return types ? completed(*types) : own_kernel_types();
  }

  // A later version may know more that it would have added.
  static bool begins_with(const btf::Btf& types, const btf::Btf& given) {
    const auto is_prefix = [](ConstBytes part, ConstBytes whole) {
      return part.size() <= whole.size() && same(part, whole.first(part.size()));
    };
    return is_prefix(given.type_section(), types.type_section()) &&
           is_prefix(given.string_section(), types.string_section());
  }

  // Nothing if somebody was faster. Reserved before it is written: ENOMEM.
  Result<void> write(const std::vector<std::byte>& bytes) {
    const int root = runtime_.directory_fd();
    for (;;) {
      const std::string name = fmt::format("staging/kernel-btf-{:016x}", random_u64());
      auto done = write_to(name.c_str(), bytes);
      PORTOLAN_SEAM();
      if (done) done = sys::linkat(root, name.c_str(), root, kKernelBtfFile, 0);
      PORTOLAN_SEAM();
      (void)sys::unlinkat(root, name.c_str(), 0);
      if (!done && done.error().value == ENOENT) continue;  // somebody swept staging/
      if (!done && done.error().value != EEXIST) return done;
      return {};
    }
  }
  Result<void> write_to(const char* name, const std::vector<std::byte>& bytes) {
    constexpr int kFlags = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW;
    const UniqueFd file(TRY(sys::openat(runtime_.directory_fd(), name, kFlags, 0444)));
    if (!sys::fallocate(file.get(), 0, 0, bytes.size())) return fail(ENOMEM);
    for (std::size_t done = 0; done < bytes.size();)
      done += TRY(sys::pwrite(file.get(), bytes.data() + done, bytes.size() - done, done));
    (void)sys::call(SYS_fsync, file.get());  // after a crash its name must not promise what is not there
    return {};
  }

  object::Runtime& runtime_;
  sync::Atomic<const btf::Btf*> types_;
  struct Known {
    const char* name;
    sync::Atomic<std::uint32_t> id;
  };
  Known known_[6] = {{"bpf_iter_meta", {}}, {"seq_file", {}},     {"bpf_map", {}},
                     {"bpf_prog", {}},      {"bpf_prog_aux", {}}, {"bpf_link", {}}};
};

KernelTypes* of(const object::Runtime& runtime) {
  return static_cast<KernelTypes*>(runtime.extension(object::Extended::kKernelTypes));
}

Result<void> explain(std::string* why, Errno error, std::string text) {
  if (why != nullptr) *why = std::move(text);
  return fail(error);
}

// What the check of a blob has to say about it last.
std::string reason_of(const std::vector<std::byte>& bytes) {
  constexpr std::string_view kElf = "\177ELF";
  if (bytes.size() >= kElf.size() && std::memcmp(bytes.data(), kElf.data(), kElf.size()) == 0)
    return "it is an ELF file; take its section .BTF out (objcopy -O binary --only-section=.BTF)";
  btf::Log log(1, 1 << 20);
  (void)btf::Btf::parse(bytes, &log);
  std::string text = log.image();
  while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

Result<const btf::Btf*> kernel_btf(object::Runtime& runtime) {
  KernelTypes* const types = of(runtime);
  if (types == nullptr) return fail(ENOENT);
  return types->types();
}

Result<std::uint32_t> kernel_struct(object::Runtime& runtime, const char* name) {
  KernelTypes* const types = of(runtime);
  if (types == nullptr) return fail(ENOENT);
  return types->id_of_struct(name);
}

Result<UniqueFd> open_kernel_btf(object::Runtime& runtime) {
  KernelTypes* const types = of(runtime);
  if (types == nullptr) return fail(ENOENT);
  return types->open();
}

Result<std::vector<std::byte>> read_kernel_btf(object::Runtime& runtime) {
  const UniqueFd file = TRY(open_kernel_btf(runtime));
  return contents_of(file.get());
}

Result<void> give_kernel_btf(object::Runtime& runtime, const std::string& file, std::string* why) {
  KernelTypes* const types = of(runtime);
  if (types == nullptr) return fail(ENOENT);
  std::optional<btf::Btf> given;
  if (file != kBuiltinTypes) {
    const auto bytes = contents_of(file.c_str());
    if (!bytes)
      return explain(why, bytes.error(),
                     fmt::format("cannot read the kernel's types in '{}': {}", file,
                                 std::strerror(bytes.error().value)));
    auto parsed = btf::Btf::parse(*bytes);
    if (!parsed)
      return explain(why, Errno{EINVAL},
                     fmt::format("'{}' has no types of a kernel: {}", file, reason_of(*bytes)));
    given.emplace(std::move(*parsed));
  }
  const Result<void> done = types->give(given ? &*given : nullptr);
  if (done) return {};
  if (done.error().value == EEXIST)
    return explain(
        why, done.error(),
        fmt::format("'{}' has other types of a kernel than '{}', and programs may refer to them by "
                    "number; use another runtime",
                    runtime.directory(), file));
  return explain(why, done.error(),
                 fmt::format("cannot keep the kernel's types of '{}' in '{}': {}", file, runtime.directory(),
                             std::strerror(done.error().value)));
}

std::unique_ptr<object::Extension> kernel_types_of(object::Runtime& runtime) {
  return std::make_unique<KernelTypes>(runtime);
}

}  // namespace portolan::helper
