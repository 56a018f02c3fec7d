// SPDX-License-Identifier: Apache-2.0
// UnverifiedProgram -> verify() -> VerifiedProgram: different types, so that nothing unverified can run.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "abi/insn.h"
#include "abi/prog_flags.h"
#include "abi/prog_type.h"
#include "base/result.h"
#include "btf/btf.h"
#include "helper/kfunc.h"
#include "map/map.h"
#include "verifier/program_tag.h"

namespace portolan::verifier {

struct TargetProgram;

// A program's CO-RE relocations, each looked at and carried out before the next.
class CoreReloSource {
 public:
  virtual ~CoreReloSource() = default;
  // Nothing: that was the last. EINVAL, EFAULT, E2BIG; `log` may say why.
  virtual Result<std::optional<abi::CoreRelo>> next(btf::Log* log) = 0;
};

// A program as PROG_LOAD takes it.
struct UnverifiedProgram {
  object::Runtime* runtime = nullptr;  // whose kernel types the program names; null: it can name none
  abi::ProgType type{};  // whose rules hold: of an extension, those of what it extends, as its attach type
  std::uint32_t expected_attach_type = 0;
  std::uint32_t attach_btf_id = 0;  // a type of the target's, or of the kernel's; 0: none
  bool is_extension = false;        // of type ext: it takes the place of a function of `target`
  // The program that it is to be attached to, for verify(), which does not keep it; null: none.
  const TargetProgram* target = nullptr;
  std::uint32_t flags = 0;  // abi::prog_flag
  bool gpl_compatible = false;
  std::string name;
  std::vector<abi::Insn> insns;
  const btf::Btf* btf =
      nullptr;  // lives as long as the program; null: then there is no func_info and no line_info
  std::vector<abi::FuncInfo> func_info;
  std::vector<abi::LineInfo> line_info;
  // For verify(), which does not keep it; null: there are none. It needs `btf` and `runtime`.
  CoreReloSource* core_relos = nullptr;
  std::uint32_t possible_cpus = 1;
  bool is_loaded = false;  // it has been here before it got its object: it may use the maps that it names
};

// How the program names its maps.
class MapSource {
 public:
  virtual ~MapSource() = default;
  // EBADF, EINVAL: no map.
  virtual Result<map::Map*> by_fd(int fd) = 0;  // PseudoLoad::kMapFd, kMapValue
  virtual Result<map::Map*> by_index(
      std::uint32_t index) = 0;  // PseudoLoad::kMapIdx, kMapIdxValue; EPROTO: no fd_array
};

// What the value of a map held when it was frozen, for maps that programs only read: loads through a direct
// address count as constants, so the program gets this copy, which nobody else can write.
struct ReadOnlyCopy {
  std::uint32_t map;  // index into maps()
  std::vector<std::byte> bytes;
};

// What the source register of a 64-bit load says that the verifier has put in: it loads the program's
// map::FunctionOwner.
inline constexpr abi::PseudoLoad kOwnProgram{11};

// Maps in whose values are timers that call a function: as an index into maps(), or those that are in that
// one.
struct TimersOf {
  std::uint32_t map;
  bool are_inner;
  friend bool operator==(const TimersOf&, const TimersOf&) = default;
};

// What a global function takes.
enum class GlobalArg : std::uint8_t {
  kNumber,
  kContext,
  kMemory,     // of which the function may read and write `size` bytes
  kDynptr,     // made, and only read
  kTrusted,    // an object of the kernel's of type `type`
  kUntrusted,  // anything, read as an object of type `type`, or, where that is 0, as bytes
};
struct GlobalArgument {
  GlobalArg kind{};
  bool may_be_null = false;
  std::uint32_t size = 0;
  std::uint32_t type = 0;  // of the kernel's BTF
};

struct Subprogram {
  std::uint32_t start;                 // its first instruction
  std::uint32_t stack_bytes;           // of its own frame, rounded up to 8; at most 512
  std::string name;                    // by BTF; may be empty
  std::vector<TimersOf> timers = {};   // that it may be the callback of
  bool is_exception_callback = false;  // what the program returns when it has thrown
  // Some path may read a byte of its stack that the function has not written: then it must find zeros.
  bool reads_unwritten_stack = true;
  std::uint32_t type_id = 0;         // its FUNC in the program's BTF; 0: there is none
  bool has_other_arguments = false;  // than its type says: some call gives it what that does not allow
  bool changes_packet = false;       // it, or what it calls
  bool might_sleep = false;          // likewise
  std::vector<GlobalArgument> arguments = {};  // of a global one, and of the main program
  std::uint32_t stack_depth = 0;               // as the kernel counts it, for the log
};

// A program that another one is to be attached to, as its own checks left it.
struct TargetProgram {
  abi::ProgType type{};  // as UnverifiedProgram has it
  std::uint32_t expected_attach_type = 0;
  bool is_extension = false;
  bool traces_tracing = false;    // a tracing program that is attached to one
  const btf::Btf* btf = nullptr;  // nullptr: it has none
  std::span<const Subprogram> functions;
};

// What the checks found out about one instruction of insns() that its bytes do not say.
struct InsnNotes {
  // A load or store that may meet pages which a user has mapped: it may fault.
  bool may_fault = false;
  // The one map that a helper is called for, as an index into maps(); negative: none, or not always the same.
  std::int32_t map = -1;
  const helper::Kfunc* kfunc = nullptr;  // of a call by BTF: what is called
  std::int64_t index =
      -1;  // the one place of the map that a tail call goes to; negative: not always the same
};

// How much a program touches of what it is given without a size: as much must be there where it is attached.
struct BufferBytes {
  std::uint32_t read_only = 0;   // max_rdonly_access: of an iterator's key
  std::uint32_t read_write = 0;  // max_rdwr_access: of its value
  std::uint32_t tracepoint = 0;  // max_tp_access: of what a writable raw tracepoint hands out
  bool any() const { return (read_only | read_write | tracepoint) != 0; }
};

// A program that cannot do harm. Only verify() makes one.
class VerifiedProgram {
 public:
  // As it came, but that CO-RE relocations are carried out, and that every reference to a map is
  // PseudoLoad::kMapIdx or kMapIdxValue, by index into maps(). verify() takes it again.
  const UnverifiedProgram& source() const { return source_; }
  // Of its instructions before maps were looked for. Of a program that is loaded: zeros.
  const Digest& digest() const { return digest_; }
  // What runs: dead code is gone, context accesses are those of the native contexts (helper/packet.h).
  // References to maps as in source(); PseudoLoad::kFunc and PseudoCall::kSubprogram with relative imm as
  // they came.
  const std::vector<abi::Insn>& insns() const { return insns_; }
  const std::vector<InsnNotes>& notes() const { return notes_; }  // one per instruction of insns()
  const std::vector<map::Map*>& maps() const { return maps_; }    // each once, in the order of first use
  const std::vector<ReadOnlyCopy>& read_only_copies() const { return read_only_copies_; }
  const std::vector<Subprogram>& subprograms() const {
    return subprograms_;
  }  // the first is the main program
  const std::vector<abi::FuncInfo>& func_info() const { return func_info_; }  // at instructions of insns()
  const std::vector<abi::LineInfo>& line_info() const { return line_info_; }
  // Bytes of the context that the program may touch; for types whose context comes as bytes.
  std::uint32_t max_context_offset() const { return max_context_offset_; }
  const BufferBytes& buffer_bytes() const { return buffer_bytes_; }
  // What it returns has a meaning only where it says that it will be attached.
  bool keeps_attach_type() const { return keeps_attach_type_; }
  std::uint32_t verified_insns() const { return verified_insns_; }  // looked at, as programs' info shows it

 private:
  friend class ProgramBuilder;  // fixup.cc
  VerifiedProgram() = default;
  UnverifiedProgram source_;
  Digest digest_{};
  std::vector<abi::Insn> insns_;
  std::vector<InsnNotes> notes_;
  std::vector<map::Map*> maps_;
  std::vector<ReadOnlyCopy> read_only_copies_;
  std::vector<Subprogram> subprograms_;
  std::vector<abi::FuncInfo> func_info_;
  std::vector<abi::LineInfo> line_info_;
  std::uint32_t max_context_offset_ = 0;
  BufferBytes buffer_bytes_;
  bool keeps_attach_type_ = false;
  std::uint32_t verified_insns_ = 0;
};

// What the kernel returns where it refuses (EINVAL, EACCES, EPERM, E2BIG, EFAULT …): the log says which
// instruction, and why. `log` may be null. Call it inside a CallEpoch: it looks into maps.
Result<VerifiedProgram> verify(UnverifiedProgram program, MapSource& maps, btf::Log* log);

}  // namespace portolan::verifier
