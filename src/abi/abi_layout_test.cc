// SPDX-License-Identifier: Apache-2.0
// Every field's offset and size against the field of the same name in the system's headers.
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/btf.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "abi/attr.h"
#include "abi/btf.h"
#include "abi/command.h"
#include "abi/info.h"
#include "abi/insn.h"
#include "abi/map_value.h"

namespace portolan::abi {
namespace {

#define SAME_FIELD(ours, our_field, system, system_field)                                              \
  do {                                                                                                 \
    EXPECT_EQ(offsetof(ours, our_field), offsetof(system, system_field)) << #system "." #system_field; \
    EXPECT_EQ(sizeof(std::declval<ours&>().our_field), sizeof(std::declval<system&>().system_field))   \
        << #system "." #system_field;                                                                  \
  } while (false)

TEST(AbiLayout, map_create_is_the_systems) {
#define SAME(field) SAME_FIELD(MapCreateAttr, field, union bpf_attr, field)
  SAME(map_type);
  SAME(key_size);
  SAME(value_size);
  SAME(max_entries);
  SAME(map_flags);
  SAME(inner_map_fd);
  SAME(numa_node);
  SAME(map_name);
  SAME(map_ifindex);
  SAME(btf_fd);
  SAME(btf_key_type_id);
  SAME(btf_value_type_id);
  SAME(btf_vmlinux_value_type_id);
  SAME(map_extra);
#undef SAME
}

TEST(AbiLayout, elem_is_the_systems) {
#define SAME(field) SAME_FIELD(ElemAttr, field, union bpf_attr, field)
  SAME(map_fd);
  SAME(key);
  SAME(value);
  SAME(next_key);
  SAME(flags);
#undef SAME
}

TEST(AbiLayout, prog_load_is_the_systems) {
#define SAME(field) SAME_FIELD(ProgLoadAttr, field, union bpf_attr, field)
  SAME(prog_type);
  SAME(insn_cnt);
  SAME(insns);
  SAME(license);
  SAME(log_level);
  SAME(log_size);
  SAME(log_buf);
  SAME(kern_version);
  SAME(prog_flags);
  SAME(prog_name);
  SAME(prog_ifindex);
  SAME(expected_attach_type);
  SAME(prog_btf_fd);
  SAME(func_info_rec_size);
  SAME(func_info);
  SAME(func_info_cnt);
  SAME(line_info_rec_size);
  SAME(line_info);
  SAME(line_info_cnt);
  SAME(attach_btf_id);
  SAME(attach_prog_fd);
  SAME(attach_btf_obj_fd);
  SAME(core_relo_cnt);
  SAME(fd_array);
  SAME(core_relos);
  SAME(core_relo_rec_size);
#undef SAME
}

TEST(AbiLayout, obj_is_the_systems) {
#define SAME(field) SAME_FIELD(ObjAttr, field, union bpf_attr, field)
  SAME(pathname);
  SAME(bpf_fd);
  SAME(file_flags);
#undef SAME
}

TEST(AbiLayout, attach_is_the_systems) {
#define SAME(field) SAME_FIELD(AttachAttr, field, union bpf_attr, field)
  SAME(target_fd);
  SAME(attach_bpf_fd);
  SAME(attach_type);
  SAME(attach_flags);
  SAME(replace_bpf_fd);
#undef SAME
}

TEST(AbiLayout, id_is_the_systems) {
#define SAME(field) SAME_FIELD(IdAttr, field, union bpf_attr, field)
  SAME(start_id);
  SAME(prog_id);
  SAME(map_id);
  SAME(btf_id);
  SAME(link_id);
  SAME(next_id);
  SAME(open_flags);
#undef SAME
}

TEST(AbiLayout, btf_load_is_the_systems) {
#define SAME(field) SAME_FIELD(BtfLoadAttr, field, union bpf_attr, field)
  SAME(btf);
  SAME(btf_log_buf);
  SAME(btf_size);
  SAME(btf_log_size);
  SAME(btf_log_level);
#undef SAME
}

TEST(AbiLayout, batch_is_the_systems) {
#define SAME(field) SAME_FIELD(Attr, batch.field, union bpf_attr, batch.field)
  SAME(in_batch);
  SAME(out_batch);
  SAME(keys);
  SAME(values);
  SAME(count);
  SAME(map_fd);
  SAME(elem_flags);
  SAME(flags);
#undef SAME
}

TEST(AbiLayout, test_is_the_systems) {
#define SAME(field) SAME_FIELD(Attr, test.field, union bpf_attr, test.field)
  SAME(prog_fd);
  SAME(retval);
  SAME(data_size_in);
  SAME(data_size_out);
  SAME(data_in);
  SAME(data_out);
  SAME(repeat);
  SAME(duration);
  SAME(ctx_size_in);
  SAME(ctx_size_out);
  SAME(ctx_in);
  SAME(ctx_out);
  SAME(flags);
  SAME(cpu);
  SAME(batch_size);
#undef SAME
}

TEST(AbiLayout, info_is_the_systems) {
#define SAME(field) SAME_FIELD(Attr, info.field, union bpf_attr, info.field)
  SAME(bpf_fd);
  SAME(info_len);
  SAME(info);
#undef SAME
}

TEST(AbiLayout, query_is_the_systems) {
#define SAME(field) SAME_FIELD(Attr, query.field, union bpf_attr, query.field)
  SAME(target_fd);
  SAME(attach_type);
  SAME(query_flags);
  SAME(attach_flags);
  SAME(prog_ids);
  SAME(prog_cnt);
  SAME(prog_attach_flags);
#undef SAME
}

TEST(AbiLayout, raw_tracepoint_is_the_systems) {
#define SAME(field) SAME_FIELD(Attr, raw_tracepoint.field, union bpf_attr, raw_tracepoint.field)
  SAME(name);
  SAME(prog_fd);
#undef SAME
}

TEST(AbiLayout, task_fd_query_is_the_systems) {
#define SAME(field) SAME_FIELD(Attr, task_fd_query.field, union bpf_attr, task_fd_query.field)
  SAME(pid);
  SAME(fd);
  SAME(flags);
  SAME(buf_len);
  SAME(buf);
  SAME(prog_id);
  SAME(fd_type);
  SAME(probe_offset);
  SAME(probe_addr);
#undef SAME
}

TEST(AbiLayout, link_create_is_the_systems) {
#define SAME(field, system_field) \
  SAME_FIELD(Attr, link_create.field, union bpf_attr, link_create.system_field)
  SAME(prog_fd, prog_fd);
  SAME(target_fd, target_fd);
  SAME(target_ifindex, target_ifindex);
  SAME(attach_type, attach_type);
  SAME(flags, flags);
  SAME(target_btf_id, target_btf_id);
  SAME(perf_event.bpf_cookie, perf_event.bpf_cookie);
  SAME(kprobe_multi.flags, kprobe_multi.flags);
  SAME(kprobe_multi.cnt, kprobe_multi.cnt);
  SAME(kprobe_multi.syms, kprobe_multi.syms);
  SAME(kprobe_multi.addrs, kprobe_multi.addrs);
  SAME(kprobe_multi.cookies, kprobe_multi.cookies);
  SAME(tracing.target_btf_id, tracing.target_btf_id);
  SAME(tracing.cookie, tracing.cookie);
  SAME(iter.iter_info, iter_info);
  SAME(iter.iter_info_len, iter_info_len);
#undef SAME
}

TEST(AbiLayout, link_update_is_the_systems) {
#define SAME(field) SAME_FIELD(Attr, link_update.field, union bpf_attr, link_update.field)
  SAME(link_fd);
  SAME(new_prog_fd);
  SAME(flags);
  SAME(old_prog_fd);
#undef SAME
}

TEST(AbiLayout, small_attrs_is_the_systems) {
#define SAME(field) SAME_FIELD(Attr, field, union bpf_attr, field)
  SAME(link_detach.link_fd);
  SAME(enable_stats.type);
  SAME(iter_create.link_fd);
  SAME(iter_create.flags);
  SAME(prog_bind_map.prog_fd);
  SAME(prog_bind_map.map_fd);
  SAME(prog_bind_map.flags);
#undef SAME
}

TEST(AbiLayout, iter_link_info_is_the_systems) {
#define SAME(field) SAME_FIELD(IterLinkInfo, field, union bpf_iter_link_info, field)
  SAME(map.map_fd);
  SAME(cgroup.order);
  SAME(cgroup.cgroup_fd);
  SAME(cgroup.cgroup_id);
  SAME(task.tid);
  SAME(task.pid);
  SAME(task.pid_fd);
#undef SAME
}

TEST(AbiLayout, map_info_is_the_systems) {
#define SAME(field) SAME_FIELD(MapInfo, field, struct bpf_map_info, field)
  SAME(type);
  SAME(id);
  SAME(key_size);
  SAME(value_size);
  SAME(max_entries);
  SAME(map_flags);
  SAME(name);
  SAME(ifindex);
  SAME(btf_vmlinux_value_type_id);
  SAME(netns_dev);
  SAME(netns_ino);
  SAME(btf_id);
  SAME(btf_key_type_id);
  SAME(btf_value_type_id);
  SAME(map_extra);
#undef SAME
}

TEST(AbiLayout, btf_info_is_the_systems) {
#define SAME(field) SAME_FIELD(BtfInfo, field, struct bpf_btf_info, field)
  SAME(btf);
  SAME(btf_size);
  SAME(id);
  SAME(name);
  SAME(name_len);
  SAME(kernel_btf);
  EXPECT_EQ(sizeof(BtfInfo), sizeof(struct bpf_btf_info));
#undef SAME
}

TEST(AbiLayout, prog_info_is_the_systems) {
#define SAME(field) SAME_FIELD(ProgInfo, field, struct bpf_prog_info, field)
  SAME(type);
  SAME(id);
  SAME(tag);
  SAME(jited_prog_len);
  SAME(xlated_prog_len);
  SAME(jited_prog_insns);
  SAME(xlated_prog_insns);
  SAME(load_time);
  SAME(created_by_uid);
  SAME(nr_map_ids);
  SAME(map_ids);
  SAME(name);
  SAME(ifindex);
  SAME(netns_dev);
  SAME(netns_ino);
  SAME(nr_jited_ksyms);
  SAME(nr_jited_func_lens);
  SAME(jited_ksyms);
  SAME(jited_func_lens);
  SAME(btf_id);
  SAME(func_info_rec_size);
  SAME(func_info);
  SAME(nr_func_info);
  SAME(nr_line_info);
  SAME(line_info);
  SAME(jited_line_info);
  SAME(nr_jited_line_info);
  SAME(line_info_rec_size);
  SAME(jited_line_info_rec_size);
  SAME(nr_prog_tags);
  SAME(prog_tags);
  SAME(run_time_ns);
  SAME(run_cnt);
  SAME(recursion_misses);
  SAME(verified_insns);
  SAME(attach_btf_obj_id);
  SAME(attach_btf_id);
  EXPECT_EQ(sizeof(ProgInfo), sizeof(struct bpf_prog_info));
#undef SAME
}

TEST(AbiLayout, link_info_is_the_systems) {
#define SAME(field) SAME_FIELD(LinkInfo, field, struct bpf_link_info, field)
  SAME(type);
  SAME(id);
  SAME(prog_id);
  SAME(raw_tracepoint.tp_name);
  SAME(raw_tracepoint.tp_name_len);
  SAME(tracing.attach_type);
  SAME(tracing.target_obj_id);
  SAME(tracing.target_btf_id);
  SAME(cgroup.cgroup_id);
  SAME(cgroup.attach_type);
  SAME(iter.target_name);
  SAME(iter.target_name_len);
  SAME(netns.netns_ino);
  SAME(netns.attach_type);
  SAME(xdp.ifindex);
#undef SAME
}

TEST(AbiLayout, btf_records_is_the_systems) {
  SAME_FIELD(btf::Header, magic, struct btf_header, magic);
  SAME_FIELD(btf::Header, version, struct btf_header, version);
  SAME_FIELD(btf::Header, flags, struct btf_header, flags);
  SAME_FIELD(btf::Header, hdr_len, struct btf_header, hdr_len);
  SAME_FIELD(btf::Header, type_off, struct btf_header, type_off);
  SAME_FIELD(btf::Header, type_len, struct btf_header, type_len);
  SAME_FIELD(btf::Header, str_off, struct btf_header, str_off);
  SAME_FIELD(btf::Header, str_len, struct btf_header, str_len);
  SAME_FIELD(btf::Type, name_off, struct btf_type, name_off);
  SAME_FIELD(btf::Type, info, struct btf_type, info);
  SAME_FIELD(btf::Type, size, struct btf_type, size);
  SAME_FIELD(btf::Type, type, struct btf_type, type);
  SAME_FIELD(btf::Enum, name_off, struct btf_enum, name_off);
  SAME_FIELD(btf::Enum, val, struct btf_enum, val);
  SAME_FIELD(btf::Enum64, name_off, struct btf_enum64, name_off);
  SAME_FIELD(btf::Enum64, val_lo32, struct btf_enum64, val_lo32);
  SAME_FIELD(btf::Enum64, val_hi32, struct btf_enum64, val_hi32);
  SAME_FIELD(btf::Array, type, struct btf_array, type);
  SAME_FIELD(btf::Array, index_type, struct btf_array, index_type);
  SAME_FIELD(btf::Array, nelems, struct btf_array, nelems);
  SAME_FIELD(btf::Member, name_off, struct btf_member, name_off);
  SAME_FIELD(btf::Member, type, struct btf_member, type);
  SAME_FIELD(btf::Member, offset, struct btf_member, offset);
  SAME_FIELD(btf::Param, name_off, struct btf_param, name_off);
  SAME_FIELD(btf::Param, type, struct btf_param, type);
  SAME_FIELD(btf::Var, linkage, struct btf_var, linkage);
  SAME_FIELD(btf::VarSecinfo, type, struct btf_var_secinfo, type);
  SAME_FIELD(btf::VarSecinfo, offset, struct btf_var_secinfo, offset);
  SAME_FIELD(btf::VarSecinfo, size, struct btf_var_secinfo, size);
  SAME_FIELD(btf::DeclTag, component_idx, struct btf_decl_tag, component_idx);
}

TEST(AbiLayout, insn_records_is_the_systems) {
  EXPECT_EQ(sizeof(Insn), sizeof(struct bpf_insn));
  SAME_FIELD(Insn, code, struct bpf_insn, code);
  SAME_FIELD(Insn, off, struct bpf_insn, off);
  SAME_FIELD(Insn, imm, struct bpf_insn, imm);
  SAME_FIELD(FuncInfo, insn_off, struct bpf_func_info, insn_off);
  SAME_FIELD(FuncInfo, type_id, struct bpf_func_info, type_id);
  SAME_FIELD(LineInfo, insn_off, struct bpf_line_info, insn_off);
  SAME_FIELD(LineInfo, file_name_off, struct bpf_line_info, file_name_off);
  SAME_FIELD(LineInfo, line_off, struct bpf_line_info, line_off);
  SAME_FIELD(LineInfo, line_col, struct bpf_line_info, line_col);
  SAME_FIELD(CoreRelo, insn_off, struct bpf_core_relo, insn_off);
  SAME_FIELD(CoreRelo, type_id, struct bpf_core_relo, type_id);
  SAME_FIELD(CoreRelo, access_str_off, struct bpf_core_relo, access_str_off);
  SAME_FIELD(CoreRelo, kind, struct bpf_core_relo, kind);
}

TEST(AbiLayout, insn_registers_are_where_the_system_has_them) {
  struct bpf_insn system = {};
  system.dst_reg = 3;
  system.src_reg = 9;
  Insn ours;
  static_assert(sizeof ours == sizeof system);
  std::memcpy(&ours, &system, sizeof ours);
  EXPECT_EQ(ours.dst(), 3);
  EXPECT_EQ(ours.src(), 9);
}

TEST(AbiLayout, an_empty_attr_is_zero_bytes) {
  Attr attr;
  std::memset(&attr, 0xff, sizeof attr);
  attr = Attr{};
  for (std::uint64_t word : attr.words) EXPECT_EQ(word, 0u);
}

TEST(AbiLayout, value_parts_have_the_systems_size_and_alignment) {
  EXPECT_EQ(sizeof(SpinLock), sizeof(struct bpf_spin_lock));
  EXPECT_EQ(alignof(SpinLock), alignof(struct bpf_spin_lock));
  EXPECT_EQ(sizeof(Timer), sizeof(struct bpf_timer));
  EXPECT_EQ(alignof(Timer), alignof(struct bpf_timer));
  EXPECT_EQ(sizeof(CgroupStorageKey), sizeof(struct bpf_cgroup_storage_key));
  EXPECT_EQ(alignof(CgroupStorageKey), alignof(struct bpf_cgroup_storage_key));
  EXPECT_EQ(sizeof(DevmapValue), sizeof(struct bpf_devmap_val));
  EXPECT_EQ(alignof(DevmapValue), alignof(struct bpf_devmap_val));
  EXPECT_EQ(sizeof(CpumapValue), sizeof(struct bpf_cpumap_val));
  EXPECT_EQ(alignof(CpumapValue), alignof(struct bpf_cpumap_val));
  EXPECT_EQ(sizeof(StackBuildId), sizeof(struct bpf_stack_build_id));
  EXPECT_EQ(alignof(StackBuildId), alignof(struct bpf_stack_build_id));
  EXPECT_EQ(sizeof(LpmTrieKeyHeader), sizeof(struct bpf_lpm_trie_key));
  EXPECT_EQ(alignof(LpmTrieKeyHeader), alignof(struct bpf_lpm_trie_key));
}

}  // namespace
}  // namespace portolan::abi
