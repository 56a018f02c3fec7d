// SPDX-License-Identifier: Apache-2.0
// Whether the verifier lets through what it should not: programs of made-up instructions, and those that it
// accepts run with every access of theirs questioned. An access outside of the program's stack, context,
// packet and map values ends the fuzzer.
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "abi/map_flags.h"
#include "abi/map_type.h"
#include "base/assert.h"
#include "btf/blob_for_test.h"
#include "fuzz/statements.h"
#include "fuzz/world.h"
#include "helper/packet.h"
#include "isa/disassemble.h"
#include "map/btf_object.h"
#include "sync/call_epoch.h"
#include "vm/interpreter.h"

namespace portolan::fuzz {
namespace {

constexpr std::size_t kMostInsns = 96;

// ProgramMap, and the types of programs and of two of the maps.
class Maps final : public verifier::MapSource {
 public:
  explicit Maps(World& world) : world_(world) {
    using enum abi::MapType;
    fds_[kNumbers] = make(kArray, 4, 48, 4);
    fds_[kPerCpu] = make(kPerCpuArray, 4, 16, 2);
    fds_[kTable] = make(kHash, 8, 24, 8);
    fds_[kLine] = make(kQueue, 0, 16, 4);
    fds_[kMembers] = make(kBloomFilter, 0, 8, 4);
    fds_[kPrograms] = make(kProgArray, 4, 4, 2);
    fds_[kRing] = make(kRingbuf, 0, 0, 4096);
    make_types();
    fds_[kLocked] =
        make(kHash, 4, 16, 4, [this](abi::MapCreateAttr& attr) { attr.btf_value_type_id = locked_; });
    fds_[kTimers] =
        make(kArray, 4, 24, 4, [this](abi::MapCreateAttr& attr) { attr.btf_value_type_id = timed_; });
    fds_[kOuter] = make(kArrayOfMaps, 4, 4, 2, [this](abi::MapCreateAttr& attr) {
      attr.inner_map_fd = static_cast<std::uint32_t>(fds_[kNumbers]);
    });
    for (long fd : fds_) PORTOLAN_ASSERT(fd >= 0);
    const std::uint32_t one = 1;
    const std::uint64_t zeros[2] = {};
    put(kOuter, &one, &fds_[kNumbers]);
    put(kLocked, &one, zeros);
    const std::uint64_t key = 1, value[3] = {1, 2, 3};
    put(kTable, &key, value);
  }
  Result<map::Map*> by_fd(int fd) override { return by_index(static_cast<std::uint32_t>(fd)); }
  Result<map::Map*> by_index(std::uint32_t index) override {
    const object::Target target =
        TRY(world_.runtime().target_of_fd(static_cast<int>(fds_[index % kProgramMaps]), object::Kind::kMap));
    return static_cast<map::Map*>(target.view);
  }
  // Of static functions that return int.
  const btf::Btf* types() const { return types_; }
  std::uint32_t function() const { return function_; }

 private:
  long make(abi::MapType type, std::uint32_t key_size, std::uint32_t value_size, std::uint32_t max_entries,
            const std::function<void(abi::MapCreateAttr&)>& edit = {}) {
    abi::Attr attr{};
    attr.map_create.map_type = static_cast<std::uint32_t>(type);
    attr.map_create.key_size = key_size;
    attr.map_create.value_size = value_size;
    attr.map_create.max_entries = max_entries;
    if (edit) edit(attr.map_create);
    if (attr.map_create.btf_value_type_id != 0) {
      attr.map_create.btf_fd = static_cast<std::uint32_t>(types_fd_);
      attr.map_create.btf_key_type_id = key_;
    }
    return world_.call(abi::Command::kMapCreate, attr);
  }
  void put(ProgramMap map, const void* key, const void* value) {
    abi::Attr attr{};
    attr.elem.map_fd = static_cast<std::uint32_t>(fds_[map]);
    attr.elem.key = reinterpret_cast<std::uintptr_t>(key);
    attr.elem.value = reinterpret_cast<std::uintptr_t>(value);
    PORTOLAN_ASSERT(world_.call(abi::Command::kMapUpdateElem, attr) == 0);
  }
  void make_types() {
    btf::Blob blob;
    key_ = blob.integer("u32", 4);
    const std::uint32_t word = blob.integer("u64", 8);
    const std::uint32_t lock = blob.structure("bpf_spin_lock", 4, {{"val", key_, 0}});
    const std::uint32_t timer = blob.structure("bpf_timer", 16, {{"a", word, 0}, {"b", word, 64}});
    locked_ = blob.structure("locked", 16, {{"lock", lock, 0}, {"a", key_, 32}, {"b", word, 64}});
    timed_ = blob.structure("timed", 24, {{"a", word, 0}, {"timer", timer, 64}});
    const std::uint32_t number = blob.integer("int", 4, 1);
    const std::uint32_t prototype = blob.type(btf::Blob::Kind::kFuncProto, "", 0, number);
    function_ = blob.type(btf::Blob::Kind::kFunc, "function", 0, prototype);
    const std::vector<std::byte> bytes = blob.bytes();
    abi::Attr attr{};
    attr.btf_load.btf = reinterpret_cast<std::uintptr_t>(bytes.data());
    attr.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
    types_fd_ = world_.call(abi::Command::kBtfLoad, attr);
    PORTOLAN_ASSERT(types_fd_ >= 0);
    const sync::CallEpoch epoch;
    const auto target = world_.runtime().target_of_fd(static_cast<int>(types_fd_), object::Kind::kBtf);
    types_ = *static_cast<map::BtfObject*>(target->view)->parsed();
  }

  World& world_;
  long fds_[kProgramMaps] = {};
  long types_fd_ = -1;
  std::uint32_t key_ = 0, locked_ = 0, timed_ = 0, function_ = 0;
  const btf::Btf* types_ = nullptr;
};

// What a program may touch.
class Regions final : public vm::CheckedMemory::Judge {
 public:
  explicit Regions(const std::vector<abi::Insn>& insns) : insns_(insns) {}
  void add(const void* begin, std::size_t bytes) {
    const auto low = reinterpret_cast<std::uintptr_t>(begin);
    regions_.push_back({low, low + bytes});
  }
  void add_stack(const std::byte* low, std::size_t bytes) override { add(low, bytes); }
  void set_packet(const std::byte* const* begin, const std::byte* const* end) {
    packet_begin_ = begin;
    packet_end_ = end;
  }
  void check(std::uint64_t address, std::uint32_t bytes, bool writes) override {
    for (const Region& region : regions_)
      if (address >= region.low && address + bytes <= region.high) return;
    if (packet_begin_ != nullptr && address >= reinterpret_cast<std::uintptr_t>(*packet_begin_) &&
        address + bytes <= reinterpret_cast<std::uintptr_t>(*packet_end_))
      return;
    std::fprintf(stderr, "%s of %u bytes at %#lx, outside of all that the program may touch",
                 writes ? "store" : "load", bytes, static_cast<unsigned long>(address));
    if (helper_ != 0) std::fprintf(stderr, ", for %s", helper::find(helper_)->name);
    std::fprintf(stderr, ":\n");
    for (std::size_t i = 0; i < insns_.size(); i += isa::is_wide(insns_[i]) ? 2 : 1)
      std::fprintf(stderr, "%zu: %s\n", i, isa::disassemble(insns_, i).c_str());
    std::abort();
  }
  // As the prototype says it: all memory that the helper is given must be the program's.
  void before_call(std::uint32_t id, const vm::HelperArguments& given) override {
    const helper::Prototype& prototype = *helper::find(id);
    helper_ = id;
    const map::Map* map = nullptr;
    for (std::size_t i = 0; i < given.size(); ++i) {
      const helper::Argument& argument = prototype.args[i];
      const bool writes = (argument.flags & helper::arg_flag::kWrites) != 0;
      if (given[i] == 0 && (argument.flags & helper::arg_flag::kOrNull) != 0) continue;
      const auto touch = [&](std::uint64_t bytes) {
        if (bytes != 0) check(given[i], static_cast<std::uint32_t>(bytes), writes);
      };
      switch (argument.kind) {
        case helper::Arg::kConstMapPtr:
          map = reinterpret_cast<const map::Map*>(given[i]);
          break;
        case helper::Arg::kMapKey:
          touch(map->key_size());
          break;
        case helper::Arg::kMapValue:
          touch(map->value_size());
          break;
        case helper::Arg::kMem:
          touch((argument.flags & helper::arg_flag::kFixed) != 0 ? argument.fixed_size : given[i + 1]);
          break;
        case helper::Arg::kDynptr:
        case helper::Arg::kTimer:
          touch(16);
          break;
        case helper::Arg::kSpinLock:
          touch(4);
          break;
        case helper::Arg::kReserved:
          touch(1);
          forget(given[i]);
          break;
        default:
          break;
      }
    }
    map_ = map;
  }
  void after_call(std::uint32_t id, const vm::HelperArguments& given, std::uint64_t result) override {
    helper_ = 0;
    constexpr std::uint32_t kReserve = 131, kDynptrData = 203;
    if (result == 0) return;
    if (id == kReserve) add(reinterpret_cast<const void*>(result), given[1]);
    if (id == kDynptrData) add(reinterpret_cast<const void*>(result), given[2]);
  }
  void before_callback(const vm::HelperArguments& given) override {
    constexpr std::uint32_t kForEach = 164;
    if (helper_ == kForEach) add(reinterpret_cast<const void*>(given[1]), map_->key_size());
    helper_ = 0;
  }

 private:
  struct Region {
    std::uint64_t low, high;
  };
  void forget(std::uint64_t low) {
    std::erase_if(regions_, [low](const Region& region) { return region.low == low; });
  }
  std::uint32_t helper_ = 0;  // that is being called
  const map::Map* map_ = nullptr;
  const std::vector<abi::Insn>& insns_;
  std::vector<Region> regions_;
  const std::byte* const* packet_begin_ = nullptr;
  const std::byte* const* packet_end_ = nullptr;
};

// Instructions that are mostly valid: registers, sizes and offsets from small sets.
abi::Insn take_insn(Input& input) {
  constexpr std::uint8_t codes[] = {
      0x07, 0x0f, 0x17, 0x1f, 0x27, 0x37, 0x3f, 0x47, 0x4f, 0x57, 0x5f, 0x67, 0x6f, 0x77, 0x7f, 0x87,
      0x97, 0x9f, 0xa7, 0xaf, 0xb7, 0xbf, 0xc7, 0xcf, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x44, 0x4c,
      0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0xb4, 0xbc, 0xc4, 0xcc, 0xd4,
      0xdc, 0xd7, 0x05, 0x06, 0x15, 0x1d, 0x16, 0x1e, 0x25, 0x2d, 0x26, 0x2e, 0x35, 0x3d, 0x45, 0x4d,
      0x55, 0x5d, 0x65, 0x6d, 0x66, 0x6e, 0x75, 0x7d, 0xa5, 0xad, 0xa6, 0xae, 0xb5, 0xbd, 0xc5, 0xcd,
      0xc6, 0xce, 0xd5, 0xdd, 0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91, 0x62, 0x6a, 0x72, 0x7a, 0x63,
      0x6b, 0x73, 0x7b, 0xc3, 0xdb, 0x30, 0x28, 0x20, 0x85, 0x95, 0x18, 0xe5};
  constexpr std::int32_t imms[] = {0,  1,  2,  3,  4,   7,    8,         12,       16,   24,
                                   31, 32, 47, 48, 63,  64,   255,       512,      4095, 65535,
                                   -1, -2, -4, -8, -16, -512, INT32_MAX, INT32_MIN};
  const auto code = input.take<std::uint8_t>();
  const auto registers = input.take<std::uint8_t>();
  const auto off = input.take<std::int8_t>();
  const auto which = input.take<std::uint8_t>();
  abi::Insn insn{codes[code % std::size(codes)], 0, off, imms[which % std::size(imms)]};
  insn.registers = static_cast<std::uint8_t>((registers & 0x0f) % 11 | (registers >> 4) % 11 << 4);
  return insn;
}

// As `insn` would be valid: fields that must be zero are, calls go to helpers or functions, atomic operations
// exist.
void tidy(abi::Insn& insn, std::uint8_t choice) {
  constexpr std::int32_t helpers[] = {1, 1, 1, 2, 3, 5, 7, 8, 12, 87, 88, 89, 26, 44, 65, 54, 164, 181};
  constexpr std::int32_t atomics[] = {0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x100, 0x110};
  const auto source = [&](unsigned number) {
    insn.registers = static_cast<std::uint8_t>(insn.dst() | number << 4);
  };
  switch (isa::class_of(insn)) {
    case isa::Class::kAlu:
    case isa::Class::kAlu64:
      insn.off = 0;
      if (insn.code == 0xd4 || insn.code == 0xdc || insn.code == 0xd7)
        insn.imm = 16 << choice % 3, source(0);
      else if (isa::by_register(insn))
        insn.imm = 0;
      else
        source(0);
      if (isa::alu_of(insn) == isa::Alu::kNeg) insn.imm = 0;
      break;
    case isa::Class::kJmp:
    case isa::Class::kJmp32:
      if (insn.code == isa::kCallCode) {
        insn = {isa::kCallCode, static_cast<std::uint8_t>(choice % 8 == 0 ? 0x10 : 0), 0,
                choice % 8 == 0 ? insn.imm : helpers[choice % std::size(helpers)]};
      } else if (insn.code == isa::kExitCode) {
        insn = {isa::kExitCode, 0, 0, 0};
      } else if (insn.code == 0x05 || insn.code == 0xe5) {
        insn = {insn.code, 0, insn.off, 0};
      } else if (insn.code == 0x06) {
        insn = {insn.code, 0, 0, insn.off};
      } else if (isa::by_register(insn)) {
        insn.imm = 0;
      } else {
        source(0);
      }
      break;
    case isa::Class::kLdx:
      insn.imm = 0;
      break;
    case isa::Class::kSt:
      source(0);
      break;
    case isa::Class::kStx:
      insn.imm = isa::mode_of(insn) == isa::Mode::kAtomic ? atomics[choice % std::size(atomics)] : 0;
      break;
    case isa::Class::kLd:
      if (!isa::is_wide(insn)) insn.registers = 0, insn.off = 0;
      break;
  }
}

void append(std::vector<abi::Insn>& insns, Input& input) {
  abi::Insn insn = take_insn(input);
  const auto choice = input.take<std::uint8_t>();
  tidy(insn, choice);
  if (!isa::is_wide(insn)) {
    insns.push_back(insn);
    return;
  }
  const bool is_value = choice % 4 == 0, is_map = choice % 4 != 3;
  const auto pseudo = is_value ? abi::PseudoLoad::kMapIdxValue
                      : is_map ? abi::PseudoLoad::kMapIdx
                               : abi::PseudoLoad::kNone;
  const auto low = is_value ? 0 : is_map ? choice / 4 % static_cast<int>(kProgramMaps) : insn.imm;
  insns.push_back({0x18, static_cast<std::uint8_t>(insn.dst() | static_cast<unsigned>(pseudo) << 4), 0, low});
  insns.push_back({0, 0, 0, is_value ? choice / 4 % 48 : 0});
}

verifier::UnverifiedProgram take_program(Input& input, const Maps& maps) {
  constexpr abi::ProgType types[] = {abi::ProgType::kXdp, abi::ProgType::kSchedCls,
                                     abi::ProgType::kSocketFilter, abi::ProgType::kRawTracepoint};
  verifier::UnverifiedProgram program;
  program.type = types[input.take<std::uint8_t>() % std::size(types)];
  program.gpl_compatible = true;
  // What most programs begin with: the context kept, the stack's first words set, a map looked up.
  const auto prologue = input.take<std::uint8_t>();
  program.insns = {{0xbf, 0x16, 0, 0}, {0xb7, 0, 0, 0}, {0x7a, 10, -8, 1}, {0x7a, 10, -16, 0}};
  if ((prologue & 1) != 0)
    program.insns.insert(program.insns.end(), {{0x18, 1 | 5 << 4, 0, (prologue >> 1) % 3},
                                               {},
                                               {0xbf, 0xa2, 0, 0},
                                               {0x07, 2, 0, -8},
                                               {0x85, 0, 0, 1},
                                               {0x55, 0, 2, 0},
                                               {0xb7, 0, 0, 0},
                                               {0x95, 0, 0, 0},
                                               {0xbf, 0x07, 0, 0}});
  if ((prologue & 8) != 0 && program.type == abi::ProgType::kXdp)
    program.insns.insert(program.insns.end(), {{0x61, 0x68, 0, 0}, {0x61, 0x69, 4, 0}});
  if ((prologue & 16) != 0 && program.type == abi::ProgType::kSchedCls)
    program.insns.insert(program.insns.end(), {{0x61, 0x68, 76, 0}, {0x61, 0x69, 80, 0}});
  Statements statements{.insns = std::move(program.insns), .callbacks = {}};
  const bool has_statements = (prologue & 32) != 0;
  if (has_statements)
    statements.insns.insert(statements.insns.end(), {{0xb7, 7, 0, 7}, {0xb7, 8, 0, 8}, {0xb7, 9, 0, 9}});
  // Few of them, since all must be right for the program to be.
  const std::size_t most_statements = has_statements ? 1 + input.take<std::uint8_t>() % 4 : kMostInsns;
  for (std::size_t i = 0; i < most_statements && !input.empty() && statements.insns.size() < kMostInsns;
       ++i) {
    if (has_statements && input.take<std::uint8_t>() % 8 != 0)
      append_statement(statements, input);
    else
      append(statements.insns, input);
  }
  statements.insns.insert(statements.insns.end(), {{0xb7, 0, 0, 1}, {0x95, 0, 0, 0}});
  const std::vector<std::uint32_t> callbacks = append_callbacks(statements, input);
  program.insns = std::move(statements.insns);
  if (callbacks.empty()) return program;
  program.btf = maps.types();
  program.func_info.push_back({0, maps.function()});
  for (const std::uint32_t start : callbacks) program.func_info.push_back({start, maps.function()});
  return program;
}

class Execution {
 public:
  Execution(World& world, const verifier::VerifiedProgram& program)
      : world_(world), program_(program), regions_(program.insns()) {
    for (map::Map* map : program.maps()) add_values(*map);
    for (const verifier::ReadOnlyCopy& copy : program.read_only_copies())
      regions_.add(copy.bytes.data(), copy.bytes.size());
  }
  void run() {
    auto executable =
        vm::Executable::for_test({program_.source().type, program_.insns(), program_.notes(), program_.maps(),
                                  program_.read_only_copies(), program_.subprograms()},
                                 vm::checked_handlers());
    if (!executable) return;
    helper::Run run(world_.runtime(), *world_.runtime().actor(), 0, nullptr);
    run.begin(static_cast<std::uint32_t>(program_.source().type), 1, context(), nullptr, nullptr);
    (void)vm::Execution<vm::CheckedMemory>(**executable, run, {&regions_}).run();
    call_back(**executable, run);
  }

 private:
  // What timers would call, later.
  void call_back(const vm::Executable& executable, helper::Run& run) {
    run.context = nullptr;
    for (std::uint32_t function = 0; function < program_.subprograms().size(); ++function)
      for (const verifier::TimersOf& timers : program_.subprograms()[function].timers) {
        if (timers.are_inner) continue;
        map::Map& map = *program_.maps()[timers.map];
        alignas(8) const std::uint32_t key[2] = {1, 0};
        std::byte* const value = map.lookup_elem(reinterpret_cast<const std::byte*>(key), 0);
        regions_.add(key, map.key_size());
        (void)vm::Execution<vm::CheckedMemory>(executable, run, {&regions_})
            .call(executable.function_at(function), reinterpret_cast<std::uintptr_t>(&map),
                  reinterpret_cast<std::uintptr_t>(key), reinterpret_cast<std::uintptr_t>(value));
      }
  }
  // Elements of arrays one by one; a hash's may lie anywhere in it.
  void add_values(map::Map& map) {
    if (map.contains_programs() || map.ring_buffer() != nullptr) return;
    if (map.inner_spec() != nullptr) {
      const std::uint32_t key = 1;
      return add_values(
          *reinterpret_cast<map::Map*>(map.lookup_elem(reinterpret_cast<const std::byte*>(&key), 0)));
    }
    const auto type = static_cast<abi::MapType>(map.spec().type);
    if (type != abi::MapType::kArray && type != abi::MapType::kPerCpuArray) {
      regions_.add(map.payload().data(), map.payload().size());
      return;
    }
    for (std::uint64_t key = 0; key < map.max_entries(); ++key)
      regions_.add(map.lookup_elem(reinterpret_cast<const std::byte*>(&key), 0), map.value_size());
  }
  void* context() {
    switch (program_.source().type) {
      case abi::ProgType::kXdp:
        xdp_ = {bytes_ + 1024, bytes_ + 1088, bytes_ + 1024, bytes_, &queue_, nullptr, sizeof bytes_, 0};
        regions_.add(&xdp_, sizeof xdp_);
        regions_.add(&queue_, sizeof queue_);
        regions_.add(&device_, sizeof device_);
        regions_.set_packet(&xdp_.data_meta, &xdp_.data_end);
        return &xdp_;
      case abi::ProgType::kRawTracepoint:
        regions_.add(arguments_, sizeof arguments_);
        return arguments_;
      default:
        skb_.head = bytes_;
        skb_.end = bytes_ + sizeof bytes_;
        skb_.data = skb_.data_meta = skb_.mac_header = bytes_ + 1024;
        skb_.network_header = skb_.data + 14;
        skb_.data_end = bytes_ + 1088;
        skb_.len = 64;
        regions_.add(&skb_, sizeof skb_);
        regions_.set_packet(&skb_.data_meta, &skb_.data_end);
        return &skb_;
    }
  }

  World& world_;
  const verifier::VerifiedProgram& program_;
  Regions regions_;
  helper::NetDevice device_{1};
  helper::RxQueue queue_{&device_, 0};
  helper::XdpBuff xdp_{};
  helper::SkBuff skb_{};
  std::uint64_t arguments_[12] = {};
  std::byte bytes_[4096] = {};
};

}  // namespace
}  // namespace portolan::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  static fuzz::World world;
  static fuzz::Maps maps(world);
  fuzz::Input input(data, size);
  verifier::UnverifiedProgram program = fuzz::take_program(input, maps);
  sync::CallEpoch epoch;
  const Result<verifier::VerifiedProgram> verified = verifier::verify(std::move(program), maps, nullptr);
  static struct Tally {
    unsigned long programs = 0, accepted = 0;
    ~Tally() { std::fprintf(stderr, "%lu programs, %lu accepted and run\n", programs, accepted); }
  } tally;
  ++tally.programs;
  if (!verified) return 0;
  ++tally.accepted;
  fuzz::Execution(world, *verified).run();
  return 0;
}
