// SPDX-License-Identifier: Apache-2.0
// Which programs may use maps by what their values hold, as Linux 6.18 says it.
#include <gmock/gmock.h>

#include "syscall/verdicts_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

using ::testing::HasSubstr;

class MapFields : public World {
 protected:
  // An array whose values are a lock and a list.
  long array_of_lists() {
    btf::Blob blob;
    const auto number = blob.integer("unsigned int", 4);
    const auto word = blob.integer("unsigned long", 8);
    const auto lock = blob.structure("bpf_spin_lock", 4, {{"val", number, 0}});
    const auto head = blob.structure("bpf_list_head", 16, {{"opaque", blob.array(word, number, 2), 0}});
    const auto node = blob.structure("bpf_list_node", 24, {{"opaque", blob.array(word, number, 3), 0}});
    blob.structure("item", 24, {{"node", node, 0}});
    const auto list = blob.structure("list", 24, {{"lock", lock, 0}, {"head", head, 64}});
    blob.decl_tag("contains:item:node", list, 1);
    const std::vector<std::byte> bytes = blob.bytes();
    abi::Attr types{};
    types.btf_load.btf = address(bytes.data());
    types.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
    abi::Attr attr{};
    attr.map_create.map_type = static_cast<std::uint32_t>(abi::MapType::kArray);
    attr.map_create.key_size = 4;
    attr.map_create.value_size = 24;
    attr.map_create.max_entries = 1;
    attr.map_create.btf_fd = static_cast<std::uint32_t>(call(kBtfLoad, types));
    attr.map_create.btf_key_type_id = number;
    attr.map_create.btf_value_type_id = list;
    return call(kMapCreate, attr);
  }
  // What the log says of a program of this type that names the map.
  std::string log_of(std::uint32_t type, long map) {
    Code code{{0x18, regs(r1, 1), 0, static_cast<std::int32_t>(map)}, kRest, mov(r0, 0), kExit};
    std::string log(4096, '\0');
    abi::Attr attr{};
    attr.prog_load.prog_type = type;
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.log_buf = address(log.data());
    attr.prog_load.log_size = static_cast<std::uint32_t>(log.size());
    attr.prog_load.log_level = 1;
    const long result = call(kProgLoad, attr);
    return fmt::format("{} {}", result < 0 ? result : 0, log.c_str());
  }
};

TEST_F(MapFields, with_lists_are_not_for_tracing_programs) {
  const long map = array_of_lists();
  ASSERT_GE(map, 0);
  for (std::uint32_t type : {kKprobe, kTracepoint, kPerfEvent, kRawTracepoint})
    EXPECT_THAT(log_of(type, map), HasSubstr("-22 tracing progs cannot use bpf_{list_head,rb_root} yet\n"));
  EXPECT_THAT(log_of(kFilter, map), HasSubstr("-22 socket filter progs cannot use bpf_spin_lock yet\n"));
  EXPECT_THAT(log_of(kTc, map), HasSubstr("0 processed 3 insns"));
}

}  // namespace
}  // namespace portolan::syscall::verdicts
