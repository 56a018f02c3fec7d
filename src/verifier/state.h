// SPDX-License-Identifier: Apache-2.0
// What is known at one point of one path: of each register, of each byte of stack, of each active function.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "isa/insn.h"
#include "map/map.h"
#include "verifier/bounds.h"
#include "verifier/dependencies.h"

namespace portolan::verifier {

enum class RegType : std::uint8_t {
  kNotInit,
  kScalar,
  kCtx,
  kMap,     // a map itself
  kMapKey,  // of a callback
  kMapValue,
  kStack,
  kPacketMeta,
  kPacket,
  kPacketEnd,
  kSockCommon,
  kSocket,
  kTcpSock,
  kMem,               // mem_size bytes
  kFunc,              // a function of the program, for callbacks
  kDynptr,            // a dynptr that a callback was given; and what is known of one on the stack
  kIterator,          // what is known of one on the stack; no register holds any
  kIrqFlags,          // the same
  kFlowKeys,          // struct bpf_flow_keys
  kTracepointBuffer,  // what a writable raw tracepoint hands out
  kBuffer,            // bytes whose number is known where the program is attached
  kKernelObject,      // a struct of the kernel's, by BTF
};
const char* name_of(RegType type);  // as the kernel's log has it

// How far an object of the kernel is what its type says: it is there for as long as the program runs; or it
// was reached by a pointer in another one; or only where the bytes may be something else.
enum class Trust : std::uint8_t { kNone, kTrusted, kUntrusted, kUser, kPercpu };

// A pointer into the packet was found to be at its end or beyond, or beyond it.
inline constexpr std::int32_t kAtEnd = -1, kBeyondEnd = -2;

// A pointer is a base, a fixed offset and a variable part: base + off + bounds. Padding-free comparison is by
// member.
struct RegState {
  RegType type = RegType::kNotInit;
  bool maybe_null = false;
  bool is_direct = false;     // a map value of which the program was given the address
  bool is_read_only = false;  // kMem, kBuffer
  bool is_record = false;     // kMem, that was reserved in a ring buffer
  bool is_in_packet = false;  // kMem: a slice of a packet's dynptr, gone when the packet changes
  Trust trust{};              // kKernelObject
  std::uint8_t sum_bits =
      0;  // kScalar: where not 0, the number that those of this id are plus `off`, of so many bits
  std::uint8_t frame = 0;   // kStack: whose
  bool is_drained = false;  // kIterator: next has given NULL
  // kPacket…: bytes from the base (with its variable part) that are there; kAtEnd, kBeyondEnd: none are.
  // kIterator: how many elements next has given on this path.
  std::int32_t range = 0;
  std::uint32_t id = 0;  // the same number, pointer-or-NULL, or variable part as other registers of this id
  std::int32_t off = 0;  // kScalar: see sum_bits
  std::uint32_t reference = 0;  // of what must be given back: Reference::id
  std::uint32_t dynptr = 0;     // kMem: the id of the dynptr whose bytes these are
  // kMem: bytes; kFunc: the subprogram; kDynptr: DynptrKind; kIterator:
  // helper::IteratorKind; kKernelObject: its type's id, 0 for just bytes
  std::uint32_t mem_size = 0;
  std::uint32_t map_uid =
      0;  // of an inner map with timers, or a value in it: which one; 0: it is no inner one
  const map::MapSpec* map = nullptr;  // kMap, kMapKey, kMapValue; by address, as inner maps have none yet
  Bounds bounds = Bounds::constant(0);
  Dependencies from;  // of numbers

  static RegState unknown() {
    RegState reg;
    reg.type = RegType::kScalar;
    reg.bounds = Bounds{};
    return reg;
  }
  static RegState number(std::uint64_t value) {
    RegState reg;
    reg.type = RegType::kScalar;
    reg.bounds = Bounds::constant(value);
    return reg;
  }
  static RegState pointer(RegType type) {
    RegState reg;
    reg.type = type;
    return reg;
  }
  bool is_scalar() const { return type == RegType::kScalar; }
  bool is_pointer() const { return type != RegType::kScalar && type != RegType::kNotInit; }
  bool is_packet() const {
    return type == RegType::kPacket || type == RegType::kPacketMeta || type == RegType::kPacketEnd;
  }
  bool is_socket() const {
    return type == RegType::kSockCommon || type == RegType::kSocket || type == RegType::kTcpSock;
  }
  bool is_constant() const { return is_scalar() && bounds.is_constant(); }
  // A number that is no longer one with those of its id.
  void unlink() {
    id = 0;
    off = 0;
    sum_bits = 0;
  }
  bool is_null() const { return is_constant() && bounds.value() == 0; }
  friend bool operator==(const RegState&, const RegState&) = default;
};
std::string type_text(const RegState& reg);
std::string to_text(const RegState& reg, std::size_t frame);  // as seen from that frame

enum class DynptrKind : std::uint8_t { kLocal = 1, kRingbuf, kSkb, kXdp, kSkbMeta };
// Of the bytes of a socket buffer, which a write may have to move.
constexpr bool is_of_skb(DynptrKind kind) { return kind == DynptrKind::kSkb || kind == DynptrKind::kSkbMeta; }

enum class Byte : std::uint8_t { kInvalid, kSpill, kMisc, kZero, kDynptr, kIterator, kIrqFlags };
struct StackSlot {
  // Where bytes are kSpill: those from the first one on. Where they are opaque: a word of such an object,
  // of its type, which `off` counts in bytes.
  RegState spilled;
  std::array<Byte, 8> bytes{};
  bool is_spill() const { return bytes[0] == Byte::kSpill; }
  bool is_dynptr() const { return bytes[0] == Byte::kDynptr; }
  bool is_iterator() const { return bytes[0] == Byte::kIterator; }
  // It holds what programs may not look at.
  bool is_opaque() const { return is_dynptr() || is_iterator() || bytes[0] == Byte::kIrqFlags; }
  unsigned spilled_bytes() const {
    unsigned count = 0;
    while (count < 8 && bytes[count] == Byte::kSpill) ++count;
    return count;
  }
};

// What is called later has no caller. Work may sleep, timers may not, whatever the program may.
enum class Async : std::uint8_t { kNo, kTimer, kWork };

struct Frame {
  std::array<RegState, isa::kRegisters> regs;
  std::vector<StackSlot> stack;  // slot i: the bytes from -8 (i + 1) on, of the frame pointer
  std::uint64_t written =
      ~std::uint64_t{0};       // slots that were overwritten since the last checkpoint, as bits
  std::uint32_t callsite = 0;  // the instruction that called; of the caller
  std::uint32_t subprogram = 0;
  std::uint32_t rounds_begun = 0;  // of the bpf_loop that it is at
  bool is_callback = false;
  Async async = Async::kNo;
};

struct Lock {
  const map::MapSpec* map = nullptr;  // nullptr: none is held
  std::uint32_t id = 0;
  friend bool operator==(const Lock&, const Lock&) = default;
};

// What the program has been given, and must give back before it ends.
struct Reference {
  std::uint32_t id;
  std::uint32_t insn;       // that it was given by
  std::uint32_t callbacks;  // how deep in callbacks: there it must be given back
  friend bool operator==(const Reference&, const Reference&) = default;
};

// In which nothing may sleep, and which must end before the program does.
struct Sections {
  bool rcu = false;
  std::uint32_t preempt = 0;    // how often it has been disabled
  std::vector<Reference> irqs;  // that were disabled, the outermost first
  friend bool operator==(const Sections&, const Sections&) = default;
};

struct Checkpoint;

struct State {
  std::vector<Frame> frames;
  Lock lock;
  Sections sections;
  std::vector<Reference> references;
  std::uint32_t may_goto_depth = 0;
  std::uint32_t callback_rounds = 0;  // callbacks entered so far
  Checkpoint* parent = nullptr;       // where this path has come by

  Frame& frame() { return frames.back(); }
  const Frame& frame() const { return frames.back(); }
  RegState& reg(unsigned number) { return frames.back().regs[number]; }
  std::uint32_t callbacks() const {
    std::uint32_t count = 0;
    for (const Frame& frame : frames) count += frame.is_callback ? 1 : 0;
    return count;
  }
  void drop_reference(std::uint32_t id) {
    std::erase_if(references, [id](const Reference& one) { return one.id == id; });
  }
  // Every register and every spilled one, of all frames.
  template <class Body>
  void for_each_reg(Body&& body) {
    for (Frame& frame : frames) {
      for (RegState& reg : frame.regs) body(reg);
      for (StackSlot& slot : frame.stack)
        if (slot.is_spill()) body(slot.spilled);
    }
  }
  // The same, each with the place where it lies.
  template <class Body>
  void for_each_place(Body&& body) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      for (std::size_t number = 0; number < isa::kFramePointer; ++number)
        body(frames[i].regs[number], Dependencies::of_register(i, number));
      for (std::size_t slot = 0; slot < frames[i].stack.size(); ++slot)
        if (frames[i].stack[slot].is_spill())
          body(frames[i].stack[slot].spilled, Dependencies::of_slot(i, slot));
    }
  }
};

// A state that was seen at an instruction. Paths that are not finished count in `branches` of all their
// parents.
struct Checkpoint {
  State state;
  std::uint32_t insn = 0;
  std::uint32_t branches = 1;
  std::uint32_t hits = 0, misses = 0;
  bool is_listed = true;
  Dependencies precise;  // places whose numbers mattered to some path from here
  std::array<std::uint64_t, isa::kMaxFrames>
      read{};  // slots of each frame that some path from here read, as bits
  // A path from here ended at a checkpoint that is not known whole before this one, from which it was
  // reached, has been followed to the end.
  Checkpoint* loop = nullptr;
  const Checkpoint* root = nullptr;                    // that this walk began at
  std::size_t depth = 0;                               // of checkpoints before it
  std::size_t first_back_edge = 0, first_in_loop = 0;  // as many as there were before it
};

// Where a path ended because all that can follow has been, or is being, looked at from a checkpoint.
struct PathEnd {
  Checkpoint* at;
  Checkpoint* parent;
  Dependencies certain;                                        // that it depended on, whatever follows
  std::vector<std::pair<Dependencies, Dependencies>> numbers;  // places, and where what is there comes from
  std::vector<std::uint64_t> written;                          // of each frame, as bits
};

}  // namespace portolan::verifier
