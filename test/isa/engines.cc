// SPDX-License-Identifier: Apache-2.0
// engines [--programs N] [--kernel N] [--first SEED]: random programs, interpreted, as machine code and, as
// many as
// --kernel says, on the live kernel. The last line counts them; exit status 1: some came out differently.
#include <fmt/format.h>
#include <sys/mman.h>

#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <string_view>

#include "both.h"
#include "isa/disassemble.h"
#include "random_insns.h"
#include "vm/interpreter.h"

namespace portolan::isa {
namespace {

using Context = std::array<std::uint64_t, kContextWords>;
constexpr int kInputs = 3;

Context random_context(Random& random) {
  Context context;
  for (std::uint64_t& word : context) word = random.operand();
  return context;
}

void show(std::uint64_t seed, const char* what, const RandomProgram& program, const Context& input,
          const Context& expected, const Context& got) {
  fmt::print("seed {}: {}\n", seed, what);
  for (std::size_t at = 0; at < program.insns.size(); ++at) {
    fmt::print("{:4}: {}\n", at, disassemble(program.insns, at));
    if (is_wide(program.insns[at])) ++at;
  }
  for (std::size_t i = 0; i < expected.size(); ++i)
    fmt::print("  {:2}: {:#x} became {:#x}, expected {:#x}{}\n", i, input[i], got[i], expected[i],
               got[i] == expected[i] ? "" : "  <==");
}

class Comparison {
 public:
  Comparison()
      : gone_(::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)), ours_(Engine::kJit) {}

  // Unverified, and so without the time that takes: interpreter against machine code.
  bool engines_agree(std::uint64_t seed) {
    Random random(seed);
    const RandomProgram program = random_program(random, Side::address(gone_));
    auto made = vm::Executable::for_test(
        {abi::ProgType::kSyscall, program.insns, program.notes, {}, {}, program.subprograms},
        vm::native_handlers());
    const bool is_blinded = random.one_in(4);
    if (!made || !(*made)->compile(is_blinded ? seed | 1 : 0)) {
      fmt::print("seed {}: not compiled\n", seed);
      return false;
    }
    for (int i = 0; i < kInputs; ++i) {
      const Context input = random_context(random);
      Context expected = input, got = input;
      helper::Run interpreted = new_run(&expected), native = new_run(&got);
      vm::Execution<vm::NativeMemory>(**made, interpreted, {}).run();
      jit::NativeRun(native).run(*(*made)->native());
      if (expected == got) continue;
      show(seed,
           is_blinded ? "blinded code does not do what the interpreter does"
                      : "machine code does not do what the interpreter does",
           program, input, expected, got);
      return false;
    }
    return true;
  }

  // Loaded by PROG_LOAD and run by PROG_TEST_RUN, on the kernel too. What the kernel refuses is no
  // difference.
  bool kernel_agrees(std::uint64_t seed) {
    Random random(seed);
    const RandomProgram program = random_program(random, 0);
    constexpr std::uint32_t kFlags = abi::prog_flag::kSleepable;
    const UniqueFd there(
        static_cast<int>(kernel_.load(abi::ProgType::kSyscall, program.insns, nullptr, 0, kFlags)));
    const UniqueFd here(
        static_cast<int>(ours_.load(abi::ProgType::kSyscall, program.insns, nullptr, 0, kFlags)));
    if ((there.get() >= 0) != (here.get() >= 0)) {
      fmt::print("seed {}: the kernel says {}, we say {}\n", seed, there.get(), here.get());
      return false;
    }
    if (there.get() < 0) return true;
    ++ran_;
    for (int i = 0; i < kInputs; ++i) {
      const Context input = random_context(random);
      const Context expected = run(kernel_, there.get(), input), got = run(ours_, here.get(), input);
      if (expected == got) continue;
      show(seed, "machine code does not do what the kernel does", program, input, expected, got);
      return false;
    }
    return true;
  }
  bool kernel_is_there() {
    return UniqueFd(static_cast<int>(
                        kernel_.load(abi::ProgType::kSocketFilter, {{0xb7, 0, 0, 0}, {kExitCode, 0, 0, 0}})))
               .get() >= 0;
  }
  std::uint64_t ran_on_both() const { return ran_; }

 private:
  helper::Run new_run(Context* context) {
    helper::Run run(ours_.runtime(), {}, 0, nullptr);
    run.begin(0, 0, context, nullptr, nullptr);
    return run;
  }
  static Context run(Side& side, int fd, Context context) {
    abi::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(fd);
    attr.test.ctx_in = Side::address(context.data());
    attr.test.ctx_size_in = sizeof context;
    if (side.bpf(abi::Command::kProgTestRun, attr) != 0) context.fill(0);
    return context;
  }

  void* gone_;
  Kernel kernel_;
  Ours ours_;
  std::uint64_t ran_ = 0;
};

int main_of(std::span<char*> arguments) {
  std::uint64_t programs = 0, kernel = 0, first = 0;
  const std::map<std::string_view, std::uint64_t*> options = {
      {"--programs", &programs}, {"--kernel", &kernel}, {"--first", &first}};
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    const auto option = options.find(arguments[i]);
    const std::string_view value = i + 1 < arguments.size() ? arguments[i + 1] : "";
    const char* const end = value.data() + value.size();
    if (option == options.end() || value.empty() ||
        std::from_chars(value.data(), end, *option->second).ptr != end) {
      fmt::print(stderr, "engines [--programs N] [--kernel N] [--first SEED]\n");
      return 2;
    }
  }
  Comparison comparison;
  std::uint64_t different = 0;
  for (std::uint64_t seed = first; seed < first + programs; ++seed)
    different += !comparison.engines_agree(seed);
  const bool has_kernel = kernel == 0 || comparison.kernel_is_there();
  for (std::uint64_t seed = first; has_kernel && seed < first + kernel; ++seed)
    different += !comparison.kernel_agrees(seed);
  fmt::print("{} programs interpreted and as machine code, {} of {} on the kernel too{}: {} differ\n",
             programs, comparison.ran_on_both(), kernel, has_kernel ? "" : " (skipped: it loads none)",
             different);
  return different == 0 ? 0 : 1;
}

}  // namespace
}  // namespace portolan::isa

int main(int argc, char** argv) { return portolan::isa::main_of({argv, static_cast<std::size_t>(argc)}); }
