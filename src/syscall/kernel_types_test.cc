// SPDX-License-Identifier: Apache-2.0
// A runtime whose kernel types are our own, as on a machine that has none: programs call functions, are
// attached by BTF and read the kernel's structs there as anywhere.
#include "abi/prog_type.h"
#include "hook/iterator.h"
#include "sync/call_epoch.h"
#include "syscall/kfuncs_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

class OwnKernelTypes : public Kfuncs {
 protected:
  void SetUp() override {
    Kfuncs::SetUp();
    std::string why;
    ASSERT_TRUE(helper::give_kernel_btf(*runtime_, "builtin", &why)) << why;
    types_ = *helper::kernel_btf(*runtime_);
  }
  std::uint32_t id_of(const char* name, btf::Kind kind) const {
    return types_->find_by_name(name, kind).value_or(0);
  }
  // Where the member of a struct of ours is.
  std::int16_t offset_of(const char* owner, std::string_view member) const {
    const btf::Type& type = *types_->type(id_of(owner, btf::Kind::kStruct));
    for (const abi::btf::Member& one : types_->members(type))
      if (types_->name(one.name_off) == member)
        return static_cast<std::int16_t>(btf::member_bit_offset(type, one) / 8);
    ADD_FAILURE() << member;
    return 0;
  }
  long load_tracing(abi::AttachType attach_type, const char* target, const Code& code) {
    std::string log(1 << 16, '\0');
    abi::Attr attr{};
    attr.prog_load.prog_type = static_cast<std::uint32_t>(abi::ProgType::kTracing);
    attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(attach_type);
    attr.prog_load.attach_btf_id = id_of(target, btf::Kind::kFunc);
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.log_buf = address(log.data());
    attr.prog_load.log_size = static_cast<std::uint32_t>(log.size());
    attr.prog_load.log_level = 1;
    const long fd = call(kProgLoad, attr);
    EXPECT_GE(fd, 0) << log.c_str();
    return fd;
  }
  const btf::Btf* types_ = nullptr;
};

TEST_F(OwnKernelTypes, functions_are_called) {
  // The sum of 3, 4 and 5.
  const Code code = stack_at(r1, -8) + Code{mov(r2, 3), mov(r3, 6), mov(r6, 0), kfunc("bpf_iter_num_new")} +
                    stack_at(r1, -8) +
                    Code{kfunc("bpf_iter_num_next"), if_equal(r0, 0, 3), load(4, r0, r0, 0)} +
                    Code{{0x0f, 0x06, 0, 0}, {0x05, 0, -7, 0}} + stack_at(r1, -8) +
                    Code{kfunc("bpf_iter_num_destroy"), move(r0, r6), kExit};
  EXPECT_EQ(run(code), 12u);
}

TEST_F(OwnKernelTypes, iterators_show_what_there_is) {
  // The number of entries of each map, as four bytes.
  const Code code{load(8, r6, r1, 8),
                  load(8, r7, r1, 0),
                  load(8, r1, r7, 0),
                  if_equal(r6, 0, 5),
                  load(4, r2, r6, offset_of("bpf_map", "max_entries")),
                  store(4, r10, -4, r2),
                  move(r2, r10),
                  add(r2, -4),
                  mov(r3, 4)};
  const Code whole = Code{load(8, r6, r1, 8), if_equal(r6, 0, 8)} + Code{code.begin() + 1, code.begin() + 3} +
                     Code{code.begin() + 4, code.end()} + Code{ask(127)} + kZero;
  for (const std::uint32_t entries : {7u, 9u})
    ASSERT_GE(create({.type = abi::MapType::kArray, .max_entries = entries}), 0);
  const long program = load_tracing(abi::AttachType::kTraceIter, "bpf_iter_bpf_map", whole);
  abi::Attr attr{};
  attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
  attr.link_create.attach_type = static_cast<std::uint32_t>(abi::AttachType::kTraceIter);
  abi::Attr made{};
  made.iter_create.link_fd = static_cast<std::uint32_t>(call(kLinkCreate, attr));
  const long fd = call(kIterCreate, made);
  ASSERT_GE(fd, 0);
  const sync::CallEpoch epoch;
  const auto target = runtime_->target_of_fd(static_cast<int>(fd), object::Kind::kIterator);
  ASSERT_TRUE(target);
  std::uint32_t entries[8] = {};
  EXPECT_EQ(static_cast<hook::Iterator*>(target->view)->read(entries, sizeof entries).value_or(0), 8u);
  EXPECT_EQ(entries[0], 7u);
  EXPECT_EQ(entries[1], 9u);
}

TEST_F(OwnKernelTypes, test_runs_call_what_programs_are_attached_to) {
  // What fentry_test1 is called with.
  EXPECT_GE(load_tracing(abi::AttachType::kTraceFentry, "bpf_fentry_test1", Code{load(8, r6, r1, 0)} + kZero),
            0);
  EXPECT_GE(load_tracing(abi::AttachType::kTraceFexit, "bpf_fentry_test2", Code{load(8, r6, r1, 16)} + kZero),
            0);
}

TEST_F(OwnKernelTypes, what_the_kernel_has_besides_is_not_there) {
  EXPECT_EQ(id_of("btf_trace_sys_enter", btf::Kind::kTypedef), 0u);
  EXPECT_EQ(id_of("bpf_cpumask_create", btf::Kind::kFunc), 0u);
}

TEST_F(OwnKernelTypes, they_are_the_btf_of_id_1) {
  abi::Attr attr{};
  ASSERT_EQ(call(kBtfGetNextId, attr), 0);
  EXPECT_EQ(attr.id.next_id, 1u);
  attr = {};
  attr.id.btf_id = 1;
  const long fd = call(kBtfGetFdById, attr);
  ASSERT_GE(fd, 0);
  const std::vector<std::byte> wanted = *helper::read_kernel_btf(*runtime_);
  std::vector<std::byte> bytes(wanted.size());
  abi::BtfInfo info{};
  info.btf = address(bytes.data());
  info.btf_size = static_cast<std::uint32_t>(bytes.size());
  abi::Attr ask_info{};
  ask_info.info = {static_cast<std::uint32_t>(fd), sizeof info, address(&info)};
  ASSERT_EQ(call(kObjGetInfoByFd, ask_info), 0);
  EXPECT_EQ(info.btf_size, wanted.size());
  EXPECT_EQ(info.kernel_btf, 1u);
  EXPECT_EQ(bytes, wanted);
}

}  // namespace
}  // namespace portolan::syscall::verdicts
