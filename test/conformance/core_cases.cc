// SPDX-License-Identifier: Apache-2.0
// CO-RE relocations that come with a program: what its types say of the kernel's is put right when it is
// loaded. Both backends have the types of this machine's kernel.
#include "btf/machine_for_test.h"
#include "cases.h"
#include "program_types.h"

namespace portolan::conformance {
namespace {

namespace types = ::portolan::btf;

constexpr std::uint32_t kXdp = 6;

enum Kind : std::uint32_t {
  kByteOffset,
  kByteSize,
  kFieldExists,
  kSigned,
  kLshift,
  kRshift,
  kIdLocal,
  kIdTarget,
  kTypeExists,
  kTypeSize,
  kEnumvalExists,
  kEnumvalValue,
  kTypeMatches,
};

// The program's types, by id.
enum Id : std::uint32_t {
  kInt = 1,
  kUnsigned = 2,
  kWide = 3,
  kLetter = 4,
  kLetters = 5,  // char[16]
  kTask = 6,     // a flavor, with a member that there is not
  kSkBuff = 7,
  kXdpMd = 8,  // a flavor, with members of other sizes
  kMapType = 9,
  kNothing = 10,  // a struct that the kernel has not
  kNested = 11,
  kFunction = 13,
};

struct Relo {
  std::uint32_t insn;
  std::uint32_t type;
  const char* access;
  std::uint32_t kind;
};
struct Record {
  std::uint32_t offset, type, access_offset, kind;
};
using Code = std::vector<Bytecode::Insn>;

Code constant(std::int32_t value) { return Bytecode().set(0, value).exit().finish(); }

class CoreRelo : public Case {
 protected:
  void SetUp() override {
    Case::SetUp();
    kernel_ = types::machine_btf();
    if (kernel_ == nullptr) GTEST_SKIP() << "this kernel has no BTF";
  }

  static void add_types(BtfBlob& blob) {
    blob.add_int("int", 4, true).add_int("unsigned int", 4).add_int("unsigned long", 8).add_int("char", 1);
    blob.add_array(kLetter, kInt, 16);
    blob.add_struct("task_struct___mine", 64,
                    {{"pid", kInt, 32}, {"comm", kLetters, 64}, {"no_such_member", kInt, 256}});
    blob.add_struct("sk_buff", 16, {{"len", kUnsigned, 64}});
    blob.add_struct("xdp_md___mine", 32, {{"ingress_ifindex", kWide, 64}, {"rx_queue_index", kInt, 128}});
    blob.add_raw({blob.add_name("bpf_map_type___mine"), 6u << 24 | 2, 4, blob.add_name("BPF_MAP_TYPE_ARRAY"),
                  9, blob.add_name("BPF_MAP_TYPE_NONSENSE"), 3});
    blob.add_struct("not_of_the_kernel", 8, {{"x", kInt, 32}});
    blob.add_struct("list_head___mine", 32, {{"prev", kInt, 32}});
    blob.add_raw({0, 13u << 24, kInt});
    blob.add_raw({blob.add_name("main"), 12u << 24 | 1, 12});
  }

  struct Loaded {
    long result;
    std::string log;
    std::uint32_t record_size;
  };
  Loaded load_with(const Code& code, std::initializer_list<Relo> relos, std::uint32_t record_size = 16,
                   const std::function<void(Attr&, Data&)>& edit = {}) {
    BtfBlob blob;
    add_types(blob);
    Data records(relos.size() * record_size);
    std::size_t at = 0;
    for (const Relo& one : relos) {
      const Record record{one.insn * 8, one.type, blob.add_name(one.access), one.kind};
      std::memcpy(records.data() + at, &record, std::min<std::size_t>(sizeof record, record_size));
      at += record_size;
    }
    const auto types = static_cast<std::uint64_t>(load_btf(blob.bytes()));
    static const char license[] = "GPL";
    const FuncInfo functions[] = {{0, kFunction}};
    Data log(1 << 16);
    Attr attr;
    attr.set(load::kProgType, kXdp).set(load::kInsnCnt, code.size());
    attr.set(load::kInsns, reinterpret_cast<std::uint64_t>(code.data()));
    attr.set(load::kLicense, reinterpret_cast<std::uint64_t>(license));
    attr.set(load::kLogLevel, 1).set(load::kLogSize, log.size());
    attr.set(load::kLogBuf, reinterpret_cast<std::uint64_t>(log.data()));
    attr.set(load::kProgBtfFd, types).set(load::kFuncInfoRecSize, sizeof(FuncInfo));
    attr.set(load::kFuncInfo, reinterpret_cast<std::uint64_t>(functions)).set(load::kFuncInfoCnt, 1);
    attr.set(load::kCoreRelos, reinterpret_cast<std::uint64_t>(records.data()));
    attr.set(load::kCoreReloCnt, relos.size()).set(load::kCoreReloRecSize, record_size);
    if (edit) edit(attr, records);
    const long result = keep(call_back(kProgLoad, attr));
    std::string text = reinterpret_cast<const char*>(log.data());
    text.resize(std::min(text.size(), text.find("processed ")));
    return {result, text, static_cast<std::uint32_t>(attr.get(load::kCoreReloRecSize))};
  }

  // What a program returns whose first instruction is relocated so; or -errno.
  long value(std::int32_t compiled, std::uint32_t type, const char* access, std::uint32_t kind) {
    const Loaded loaded = load_with(constant(compiled), {{0, type, access, kind}});
    EXPECT_GE(loaded.result, 0) << loaded.log;
    return loaded.result < 0 ? loaded.result : run(static_cast<int>(loaded.result));
  }
  void refused(long error, const char* last_line, const Code& code, std::initializer_list<Relo> relos) {
    SCOPED_TRACE(last_line);
    const Loaded loaded = load_with(code, relos);
    EXPECT_ANSWER(error, loaded.result);
    std::string text = loaded.log;
    if (!text.empty()) text.pop_back();
    EXPECT_EQ(text.substr(text.rfind('\n') + 1), last_line) << loaded.log;
  }

  std::uint32_t kernel_id(const char* name) {
    return kernel_->find_by_name(name, types::Kind::kStruct).value_or(0);
  }
  // In bytes, of a member that lies in the struct itself.
  std::uint32_t kernel_offset(const char* structure, const char* member) {
    const types::Type& type = *kernel_->type(kernel_id(structure));
    for (const auto& one : kernel_->members(type))
      if (std::string_view(kernel_->name(one.name_off)) == member)
        return types::member_bit_offset(type, one) / 8;
    ADD_FAILURE() << structure << " has no " << member;
    return 0;
  }

  const types::Btf* kernel_ = nullptr;
};
ON_BOTH_BACKENDS(CoreRelo);

TEST_P(CoreRelo, fields) {
  const long pid = kernel_offset("task_struct", "pid"), comm = kernel_offset("task_struct", "comm");
  EXPECT_ANSWER(pid, value(4, kTask, "0:0", kByteOffset));
  EXPECT_ANSWER(4, value(4, kTask, "0:0", kByteSize));
  EXPECT_ANSWER(1, value(1, kTask, "0:0", kFieldExists));
  EXPECT_ANSWER(1, value(1, kTask, "0:0", kSigned));
  EXPECT_ANSWER(32, value(32, kTask, "0:0", kLshift));
  EXPECT_ANSWER(32, value(32, kTask, "0:0", kRshift));
  EXPECT_ANSWER(0, value(1, kTask, "0:2", kFieldExists));
  EXPECT_ANSWER(comm, value(8, kTask, "0:1", kByteOffset));
  EXPECT_ANSWER(comm + 3, value(11, kTask, "0:1:3", kByteOffset));
  EXPECT_ANSWER(1, value(1, kTask, "0:1:3", kByteSize));
  EXPECT_ANSWER(kernel_offset("sk_buff", "len"), value(8, kSkBuff, "0:0", kByteOffset));
  EXPECT_ANSWER(static_cast<long>(*kernel_->size_of(kernel_id("task_struct"))) + pid,
                value(68, kTask, "1:0", kByteOffset));
  EXPECT_ANSWER(0, value(1, kNested, "0:0", kFieldExists));  // it is a pointer there
}

TEST_P(CoreRelo, paths_are_read_as_scanf_does) {
  const long pid = kernel_offset("task_struct", "pid");
  for (const char* access :
       {"0:-0", "0 0", " 0:\t0", "000:00", "0-0", "0:4294967296", "0:18446744073709551616"}) {
    SCOPED_TRACE(access);
    EXPECT_ANSWER(pid, value(4, kTask, access, kByteOffset));
  }
  for (const char* access : {"", ":0", "0:", "0:x", "0:+0", "0:-1", "0:0 ", "0:0x0", "0:2147483648", "0:7"}) {
    SCOPED_TRACE(access);
    EXPECT_ANSWER(-EINVAL, load_with(constant(4), {{0, kTask, access, kByteOffset}}).result);
  }
}

TEST_P(CoreRelo, types) {
  const std::uint32_t task = kernel_id("task_struct");
  EXPECT_ANSWER(kTask, value(77, kTask, "0", kIdLocal));
  EXPECT_ANSWER(task, value(77, kTask, "0", kIdTarget));
  EXPECT_ANSWER(1, value(1, kTask, "0", kTypeExists));
  EXPECT_ANSWER(*kernel_->size_of(task), value(64, kTask, "0", kTypeSize));
  EXPECT_ANSWER(0, value(1, kTask, "0", kTypeMatches));
  EXPECT_ANSWER(1, value(1, kSkBuff, "0", kTypeMatches));
  for (const Kind kind : {kTypeExists, kTypeMatches}) EXPECT_ANSWER(0, value(1, kNothing, "0", kind));
  EXPECT_ANSWER(0, value(8, kNothing, "0", kTypeSize));
  EXPECT_ANSWER(0, value(99, kNothing, "0", kIdTarget));
}

TEST_P(CoreRelo, enumerators) {
  EXPECT_ANSWER(kArray, value(9, kMapType, "0", kEnumvalValue));
  EXPECT_ANSWER(1, value(1, kMapType, "0", kEnumvalExists));
  EXPECT_ANSWER(0, value(1, kMapType, "1", kEnumvalExists));
}

TEST_P(CoreRelo, instructions) {
  const long pid = kernel_offset("task_struct", "pid");
  const auto result = [&](const Code& code, std::initializer_list<Relo> relos) {
    const Loaded loaded = load_with(code, relos);
    EXPECT_GE(loaded.result, 0) << loaded.log;
    return loaded.result < 0 ? loaded.result : run(static_cast<int>(loaded.result));
  };
  EXPECT_ANSWER(pid, result(Bytecode().set64(0, 4).exit().finish(), {{0, kTask, "0:0", kByteOffset}}));
  EXPECT_ANSWER(pid + 1,
                result(Bytecode().set(0, 1).add(0, 4).exit().finish(), {{1, kTask, "0:0", kByteOffset}}));
  // A load of eight bytes becomes one of four, elsewhere.
  EXPECT_ANSWER(1, result(Bytecode().load(Bytecode::kDouble, 0, 1, 8).exit().finish(),
                          {{0, kXdpMd, "0:0", kByteOffset}}));
  // Records come in any order, and one instruction may have several.
  EXPECT_ANSWER(
      kTask, result(Bytecode().set(0, 1).set(1, 4).exit().finish(),
                    {{1, kTask, "0:0", kByteOffset}, {0, kTask, "0", kIdTarget}, {0, kTask, "0", kIdLocal}}));
}

TEST_P(CoreRelo, what_is_not_there_may_stand_where_nothing_comes) {
  Bytecode code;
  const int none = code.new_label();
  code.set(0, 1).jump(0x15, 0, 0, none).set64(0, 32).here(none).exit();
  const Loaded loaded =
      load_with(code.finish(), {{0, kTask, "0:2", kFieldExists}, {2, kTask, "0:2", kByteOffset}});
  ASSERT_GE(loaded.result, 0) << loaded.log;
  EXPECT_EQ(loaded.log, "");
  EXPECT_ANSWER(0, run(static_cast<int>(loaded.result)));
}

TEST_P(CoreRelo, a_tag_is_of_the_instructions_that_come_out) {
  const auto tag = [&](long fd) {
    Data details(64);
    EXPECT_ANSWER(0, info(static_cast<int>(fd), &details));
    return load_unaligned<std::uint64_t>(details.data() + 8);
  };
  const auto pid = static_cast<std::int32_t>(kernel_offset("task_struct", "pid"));
  EXPECT_EQ(tag(load_with(constant(pid), {}).result),
            tag(load_with(constant(4), {{0, kTask, "0:0", kByteOffset}}).result));
}

TEST_P(CoreRelo, refusals) {
  const Code by_register = Bytecode().set(1, 0).move(0, 1).exit().finish();
  constexpr const char* kPoisoned = "invalid func unknown#195896080";
  refused(-EINVAL, kPoisoned, constant(32), {{0, kTask, "0:2", kByteOffset}});
  refused(-EINVAL, kPoisoned, constant(4), {{0, kNothing, "0:0", kByteOffset}});
  refused(-EINVAL, kPoisoned, constant(3), {{0, kMapType, "1", kEnumvalValue}});
  refused(-EINVAL, kPoisoned, by_register, {{1, kTask, "0:2", kByteOffset}});
  refused(-EINVAL, kPoisoned, Bytecode().load(Bytecode::kWord, 0, 1, 16).exit().finish(),
          {{0, kTask, "0:2", kByteOffset}});
  refused(-EINVAL, "jump out of range from insn 1 to 2", constant(0), {{1, kTask, "0:2", kByteOffset}});
  refused(-EINVAL, "invalid bpf_ld_imm64 insn", Bytecode().set64(0, 4).exit().finish(),
          {{1, kTask, "0:2", kByteOffset}});
  refused(-EINVAL, "prog '': relo #0: insn #1 (LDIMM64) has unexpected form",
          Bytecode().set64(0, 4).exit().finish(), {{1, kTask, "0:0", kByteOffset}});
  refused(-EINVAL,
          "prog '': relo #0: trying to relocate unrecognized insn #1, code:0x95, src:0x0, dst:0x0, off:0x0, "
          "imm:0x0",
          constant(0), {{1, kTask, "0:0", kByteOffset}});
  refused(-EINVAL, "prog '': relo #0: unexpected insn #0 (ALU/ALU64) value: got 0, exp 1 -> 0", constant(0),
          {{0, kTask, "0:2", kFieldExists}});
  refused(-EINVAL, "prog '': relo #0: unexpected insn #0 (LDIMM64) value: got 4294967297, exp 1 -> 1",
          Bytecode().set64(0, 0x100000001).exit().finish(), {{0, kTask, "0:0", kFieldExists}});
  refused(-EINVAL, "prog '': relo #0: insn #0 (LDX/ST/STX) unexpected mem size: got 4, exp 8",
          Bytecode().load(Bytecode::kWord, 0, 1, 8).exit().finish(), {{0, kXdpMd, "0:0", kByteOffset}});
  const std::string too_big = "prog '': relo #0: insn #0 (LDX/ST/STX) value too big: " +
                              std::to_string(100 * *kernel_->size_of(kernel_id("task_struct")));
  refused(-ERANGE, too_big.c_str(), Bytecode().load(Bytecode::kWord, 0, 1, 6400).exit().finish(),
          {{0, kTask, "100", kByteOffset}});
  refused(-EINVAL, "prog '': relo #0: parsing [6] STRUCT task_struct___mine + 0:9 failed: -22", constant(0),
          {{0, kTask, "0:9", kByteOffset}});
  refused(-EINVAL, "prog '': relo #0: parsing [6] STRUCT task_struct___mine + 0:0 failed: -22", constant(0),
          {{0, kTask, "0:0", 13}});
  refused(-EINVAL, "relo #0: bad type id 99", constant(0), {{0, 99, "0", kTypeExists}});
  refused(-EINVAL, "target candidate search failed for 0", constant(0), {{0, 0, "0", kTypeExists}});
  refused(-EINVAL, "target candidate search failed for 5", constant(0), {{0, kLetters, "0", kTypeExists}});
  refused(-EINVAL, "Invalid core_relo[0].insn_off:16 prog->len:2", constant(0),
          {{2, kTask, "0:0", kByteOffset}});
}

TEST_P(CoreRelo, records) {
  const Relo relo{0, kTask, "0:0", kByteOffset};
  const auto answer = [&](std::uint32_t size, const std::function<void(Attr&, Data&)>& edit = {}) {
    return load_with(constant(4), {relo}, size, edit);
  };
  for (const std::uint32_t size : {16u, 20u, 252u}) EXPECT_GE(answer(size).result, 0);
  for (const std::uint32_t size : {0u, 12u, 18u, 256u}) EXPECT_ANSWER(-EINVAL, answer(size).result);
  const Loaded longer = answer(20, [](Attr&, Data& records) { records[16] = std::byte{1}; });
  EXPECT_ANSWER(-E2BIG, longer.result);
  EXPECT_EQ(longer.log, "nonzero tailing record in core_relo");
  EXPECT_EQ(longer.record_size, 16u);
  EXPECT_ANSWER(-EFAULT, answer(16, [](Attr& attr, Data&) { attr.set(load::kCoreRelos, 0); }).result);
  EXPECT_ANSWER(-EINVAL, answer(16, [](Attr& attr, Data&) { attr.set(load::kCoreReloCnt, 1 << 27); }).result);
  EXPECT_GE(answer(0, [](Attr& attr, Data&) { attr.set(load::kCoreReloCnt, 0); }).result, 0);
  // Nobody looks at them without information on functions or lines.
  const Loaded without = answer(3, [](Attr& attr, Data&) { attr.set(load::kFuncInfoCnt, 0); });
  ASSERT_GE(without.result, 0);
  EXPECT_ANSWER(4, run(static_cast<int>(without.result)));
}

}  // namespace
}  // namespace portolan::conformance
