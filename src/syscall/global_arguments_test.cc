// SPDX-License-Identifier: Apache-2.0
// What global functions may take: by types, and by tags of arguments. Verdicts are what Linux 6.18 says.
#include "syscall/by_kernel_btf_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

using Kind = btf::Blob::Kind;
using Types = btf::Blob;

class GlobalArguments : public ByKernelBtf {
 protected:
  struct Row {
    const char* name;
    std::uint32_t (*argument)(Types&);  // its type
    std::vector<const char*> tags;      // of the argument
    Code given;                         // brings what is given into R1
    Code body;                          // of the function, without its end
    int error;
    const char* line;  // of the log
    std::uint32_t type = kRawTracepoint;
  };
  // A main function that calls int f(argument).
  void expect(const Row& row) {
    SCOPED_TRACE(row.name);
    Types blob;
    const std::uint32_t number = blob.integer("int", 4, 1);
    const std::uint32_t argument = row.argument(blob);
    const std::uint32_t takes_nothing = blob.type(Kind::kFuncProto, "", 0, number);
    const std::uint32_t takes = blob.type(Kind::kFuncProto, "", 1, number, {blob.string("it"), argument});
    const std::uint32_t main = blob.type(Kind::kFunc, "main", 1, takes_nothing);
    const std::uint32_t function = blob.type(Kind::kFunc, "f", 1, takes);
    for (const char* tag : row.tags) blob.decl_tag(tag, function, 0);
    const Code begin = row.given + Code{call_function(2), mov(r0, 0), kExit};
    Code code = begin + row.body + kZero;
    const abi::FuncInfo functions[] = {{0, main}, {static_cast<std::uint32_t>(begin.size()), function}};
    const std::vector<std::byte> bytes = blob.bytes();
    abi::Attr types{};
    types.btf_load.btf = address(bytes.data());
    types.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
    const long types_fd = call(kBtfLoad, types);
    ASSERT_GE(types_fd, 0);
    std::string log(1 << 16, '\0');
    abi::Attr attr{};
    attr.prog_load.prog_type = row.type;
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.log_buf = address(log.data());
    attr.prog_load.log_size = static_cast<std::uint32_t>(log.size());
    attr.prog_load.log_level = 1;
    attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(types_fd);
    attr.prog_load.func_info = address(functions);
    attr.prog_load.func_info_cnt = 2;
    attr.prog_load.func_info_rec_size = sizeof functions[0];
    const long result = call(kProgLoad, attr);
    if (row.error == 0)
      EXPECT_GE(result, 0) << log.c_str();
    else
      EXPECT_EQ(result, -row.error) << log.c_str();
    EXPECT_NE(log.find(row.line), std::string::npos) << log.c_str();
  }
  void expect(const std::vector<Row>& rows) {
    for (const Row& row : rows) expect(row);
  }
};

std::uint32_t pointer_to(Types& types, std::uint32_t target) { return types.type(Kind::kPtr, "", 0, target); }
std::uint32_t number(Types& types) { return types.integer("long", 8, 1); }
std::uint32_t pointer_to_void(Types& types) { return pointer_to(types, 0); }
std::uint32_t pointer_to_number(Types& types) { return pointer_to(types, number(types)); }
std::uint32_t pointer_to_pointer(Types& types) { return pointer_to(types, pointer_to_number(types)); }
std::uint32_t pointer_to_task(Types& types) {
  return pointer_to(types, types.structure("task_struct", 4, {{"pid", 1, 0}}));
}
std::uint32_t pointer_to_flavor_of_task(Types& types) {
  return pointer_to(types, types.structure("task_struct___mine", 4, {{"pid", 1, 0}}));
}
std::uint32_t pointer_to_mine(Types& types) {
  return pointer_to(types, types.structure("nothing_of_the_kernels", 4, {{"a", 1, 0}}));
}

std::uint32_t pointer_to_registers(Types& types) {
  return pointer_to(types, types.structure("bpf_user_pt_regs_t", 0, {}));
}

const Code kTask{ask(kCurrentTaskBtf), move(r1, r0)}, kNull{mov(r1, 0)},
    kStackBytes{put(r10, -8, 0), move(r1, r10), add(r1, -8)}, kRead{load(8, r0, r1, 0)},
    kReadChecked{if_equal(r1, 0, 1), load(8, r0, r1, 0)};
constexpr const char* kSafe = "Func#1 ('f') is safe for any args";
constexpr const char* kInvalid = "Caller passes invalid args into func#1 ('f')";

TEST_F(GlobalArguments, that_are_trusted_are_objects_of_the_kernel) {
  expect({
      {"a task", pointer_to_task, {"arg:trusted"}, kTask, kRead, 0, kSafe},
      {"by another flavor", pointer_to_flavor_of_task, {"arg:trusted"}, kTask, kRead, 0, kSafe},
      {"NULL",
       pointer_to_task,
       {"arg:trusted"},
       kNull,
       kRead,
       EACCES,
       "R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_"},
      {"NULL, allowed", pointer_to_task, {"arg:trusted", "arg:nullable"}, kNull, kReadChecked, 0, kSafe},
      {"allowed, and not looked for",
       pointer_to_task,
       {"arg:trusted", "arg:nullable"},
       kTask,
       kRead,
       EACCES,
       "R1 invalid mem access 'trusted_ptr_or_null_'"},
      {"stack", pointer_to_task, {"arg:trusted"}, kStackBytes, kRead, EACCES, kInvalid},
      {"a type that the kernel lacks",
       pointer_to_mine,
       {"arg:trusted"},
       kTask,
       kRead,
       ENOENT,
       "arg#0 reference type('STRUCT nothing_of_the_kernels') has no matches"},
      {"of no type", pointer_to_void, {"arg:trusted"}, kTask, kRead, EINVAL, kInvalid},
      {"not NULL, and trusted",
       pointer_to_task,
       {"arg:trusted", "arg:nonnull"},
       kTask,
       kRead,
       EINVAL,
       "arg#0 has invalid combination of tags"},
  });
}

TEST_F(GlobalArguments, that_are_untrusted_are_anything_and_only_read) {
  expect({
      {"stack, as bytes", pointer_to_void, {"arg:untrusted"}, kStackBytes, kRead, 0, kSafe},
      {"a number, as numbers", pointer_to_number, {"arg:untrusted"}, {mov(r1, 4711)}, kRead, 0, kSafe},
      {"a number, as a task", pointer_to_task, {"arg:untrusted"}, {mov(r1, 4711)}, kRead, 0, kSafe},
      {"written",
       pointer_to_number,
       {"arg:untrusted"},
       kStackBytes,
       {put(r1, 0, 0)},
       EACCES,
       "R1 cannot write into rdonly_untrusted_mem"},
      {"a type that the kernel lacks",
       pointer_to_mine,
       {"arg:untrusted"},
       kStackBytes,
       kRead,
       ENOENT,
       "has no matches"},
      {"a pointer",
       pointer_to_pointer,
       {"arg:untrusted"},
       kStackBytes,
       kRead,
       EINVAL,
       "arg#0 reference type('PTR (anon)') candidate matching error: -22"},
      {"not NULL",
       pointer_to_number,
       {"arg:untrusted", "arg:nonnull"},
       kStackBytes,
       kRead,
       EINVAL,
       "arg#0 untrusted cannot be combined with any other tags"},
  });
}

TEST_F(GlobalArguments, have_tags_that_fit_their_types) {
  expect({
      {"memory that may be NULL by itself",
       pointer_to_number,
       {"arg:nullable"},
       kStackBytes,
       kRead,
       EINVAL,
       "arg#0 has invalid combination of tags"},
      {"a tag of nobody's",
       pointer_to_number,
       {"arg:mine"},
       kStackBytes,
       kRead,
       EOPNOTSUPP,
       "arg#0 has unsupported set of tags"},
      {"a number",
       number,
       {"arg:nonnull"},
       kNull,
       {},
       EINVAL,
       "arg#0 has pointer tag, but is not a pointer type"},
      {"void",
       pointer_to_void,
       {},
       kStackBytes,
       {},
       EINVAL,
       "arg#0 reference type('UNKNOWN ') size cannot be determined: -22"},
      {"the context of a raw tracepoint", pointer_to_number, {"arg:ctx"}, {}, kRead, 0, kSafe},
      {"the context as a struct of another type",
       pointer_to_mine,
       {"arg:ctx"},
       {},
       {},
       EINVAL,
       "arg#0 should be `struct __sk_buff *`",
       kFilter},
      {"the context as a number",
       pointer_to_number,
       {"arg:ctx"},
       {},
       {},
       EINVAL,
       "arg#0 should be `struct __sk_buff *`",
       kFilter},
      {"the context as anything", pointer_to_void, {"arg:ctx"}, {}, {}, 0, kSafe, kFilter},
      {"the registers of a probe, by a struct of the typedef's name",
       pointer_to_registers,
       {},
       {},
       {},
       0,
       kSafe,
       kKprobe},
      {"the context, not NULL",
       pointer_to_void,
       {"arg:ctx", "arg:nonnull"},
       {},
       {},
       EINVAL,
       "arg#0 has invalid combination of tags"},
  });
}

}  // namespace
}  // namespace portolan::syscall::verdicts
