// SPDX-License-Identifier: Apache-2.0
#include "abi/info.h"
#include "map/btf_object.h"
#include "map/sha256.h"
#include "syscall/call.h"
#include "syscall/link_info.h"
#include "verifier/program.h"
#include "vm/prepare.h"

namespace portolan::syscall {
namespace {

// What the caller put into its struct, the kernel's part of it; all else is zero.
template <class Info>
Result<Info> info_in(const Call& call, std::uint32_t known = sizeof(Info)) {
  const abi::InfoAttr& attr = call.attr.info;
  TRY(check_tail_is_zero(call.caller, attr.info, known, attr.info_len));
  Info info{};
  TRY(call.caller.copy_in(&info, attr.info, std::min<std::size_t>(attr.info_len, sizeof info)));
  return info;
}

template <class Info>
Result<long> info_out(const Call& call, const Info& info) {
  const abi::InfoAttr& attr = call.attr.info;
  const auto length = static_cast<std::uint32_t>(std::min<std::size_t>(attr.info_len, sizeof info));
  TRY(call.caller.copy_out(attr.info, &info, length));
  TRY(call.put(offsetof(abi::InfoAttr, info_len), length));
  return 0;
}

Result<long> map_info(const Call& call, const map::Map& map) {
  const auto asked = TRY(info_in<abi::MapInfo>(call, offsetof(abi::MapInfo, reserved)));
  const map::MapSpec& spec = map.spec();
  const bool takes_input = call.runtime.kernel_version() >= map::kernel_version(6, 18);
  // What does not concern the map stays as the caller had it, since the struct has fields that go in.
  abi::MapInfo info = takes_input ? asked : abi::MapInfo{};
  info.type = spec.type;
  info.id = map.id();
  info.key_size = spec.key_size;
  info.value_size = spec.value_size;
  info.max_entries = spec.max_entries;
  info.map_flags = spec.map_flags;
  info.map_extra = spec.map_extra;
  std::memcpy(info.name, spec.name, sizeof info.name);
  info.btf_vmlinux_value_type_id = 0;
  if (spec.btf_id != 0) {
    info.btf_id = spec.btf_id;
    info.btf_key_type_id = spec.btf_key_type_id;
    info.btf_value_type_id = spec.btf_value_type_id;
  }
  if (takes_input) {
    if (asked.hash != 0) {
      if (asked.hash_size != map::Sha256::kSize) return fail(EINVAL);
      if (!map.is_frozen()) return fail(EPERM);
      std::byte digest[map::Sha256::kSize];
      TRY(map.get_hash(digest));
      TRY(call.caller.copy_out(asked.hash, digest, sizeof digest));
    } else if (asked.hash_size != 0) {
      return fail(EINVAL);
    }
  }
  return info_out(call, info);
}

// The kernel's own BTF has a name; the others get an empty one where there is room. ENOSPC: it was cut off.
Result<void> name_out(const Call& call, std::string_view name, abi::BtfInfo& info) {
  if ((info.name == 0) != (info.name_len == 0)) return fail(EINVAL);
  const std::uint32_t room = info.name_len;
  info.name_len = static_cast<std::uint32_t>(name.size());
  if (room == 0) return {};
  const char end = '\0';
  const std::size_t length = std::min<std::size_t>(name.size(), room - 1);
  TRY(call.caller.copy_out(info.name, name.data(), length));
  TRY(call.caller.copy_out(info.name + length, &end, 1));
  if (length < name.size()) return fail(ENOSPC);
  return {};
}

Result<long> btf_info(const Call& call, const map::BtfObject& btf) {
  auto info = TRY(info_in<abi::BtfInfo>(call));
  const auto size = static_cast<std::uint32_t>(btf.blob().size());
  info.id = btf.id();
  TRY(call.caller.copy_out(info.btf, btf.blob().data(), std::min(size, info.btf_size)));
  info.btf_size = size;
  const std::string_view name = btf.id() == object::kKernelBtfId ? "vmlinux" : "";
  info.kernel_btf = name.empty() ? 0 : 1;
  TRY(name_out(call, name, info));
  return info_out(call, info);
}

// A row of the program's, as far as the caller has room for it; *count becomes how many there are.
template <class T, class Count>
Result<void> row_out(const Call& call, std::span<const T> row, std::uint64_t to, Count* count,
                     Count unit = 1) {
  const auto there = static_cast<Count>(row.size() * unit);
  const Count room = std::min(*count, there);
  *count = there;
  if (room == 0) return {};
  return call.caller.copy_out(to, row.data(), room / unit * sizeof(T) + room % unit);
}

// Of the machine code that this process runs for the program; it may have to make it. Nothing: it is
// interpreted.
Result<void> code_info(const Call& call, verifier::Program& program, abi::ProgInfo& info) {
  const Result<const vm::Executable*> executable = vm::executable_of(program);
  const jit::Code* const code = executable ? (*executable)->native() : nullptr;
  std::vector<std::uint64_t> functions, lines;
  std::vector<std::uint32_t> lengths;
  std::span<const std::uint8_t> bytes;
  if (code != nullptr) {
    bytes = code->bytes();
    const std::vector<std::uint32_t>& starts = code->starts();
    for (std::size_t i = 0; i < starts.size(); ++i) {
      functions.push_back(reinterpret_cast<std::uintptr_t>(code->function(i)));
      const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : bytes.size();
      lengths.push_back(static_cast<std::uint32_t>(end - starts[i]));
    }
    for (const abi::LineInfo& line : program.line_info())
      if (line.insn_off < code->places().size())  // outside data says where
        lines.push_back(reinterpret_cast<std::uintptr_t>(bytes.data() + code->places()[line.insn_off]));
  }
  TRY(row_out(call, bytes, info.jited_prog_insns, &info.jited_prog_len));
  TRY(row_out(call, std::span<const std::uint64_t>(functions), info.jited_ksyms, &info.nr_jited_ksyms));
  TRY(row_out(call, std::span<const std::uint32_t>(lengths), info.jited_func_lens, &info.nr_jited_func_lens));
  info.jited_line_info_rec_size = sizeof(std::uint64_t);
  return row_out(call, std::span<const std::uint64_t>(lines), info.jited_line_info, &info.nr_jited_line_info);
}

// Of a program's that it is for: only until it is attached.
std::uint32_t attach_btf_of(const verifier::Program& program) {
  if (program.attributes().attach_btf_id == 0) return 0;
  if (program.attributes().target_id == 0) return object::kKernelBtfId;
  const Result<verifier::Program*> target = program.target();
  return target && !program.was_attached() ? (*target)->attributes().btf_id : 0;
}

Result<long> prog_info(const Call& call, verifier::Program& program) {
  auto info = TRY(info_in<abi::ProgInfo>(call));
  const verifier::ProgramAttributes& attributes = program.attributes();
  info.type = attributes.type;
  info.id = program.id();
  std::memcpy(info.tag, attributes.tag.bytes, sizeof info.tag);
  info.load_time = attributes.load_time_ns;
  info.created_by_uid = attributes.created_by_uid;
  info.gpl_compatible = attributes.gpl_compatible;
  std::memcpy(info.name, attributes.name, sizeof info.name);
  info.verified_insns = attributes.verified_insns;
  info.ifindex = 0;
  info.netns_dev = info.netns_ino = 0;
  const std::vector<std::uint32_t> map_ids = TRY(program.map_ids());
  TRY(row_out(call, std::span(map_ids), info.map_ids, &info.nr_map_ids));
  const verifier::RunCounts counts = program.run_counts();
  info.run_time_ns = counts.ns;
  info.run_cnt = counts.runs;
  info.recursion_misses = 0;
  constexpr std::uint32_t insn_bytes = sizeof(abi::Insn);
  TRY(row_out(call, program.shown_insns(), info.xlated_prog_insns, &info.xlated_prog_len, insn_bytes));
  TRY(code_info(call, program, info));
  info.btf_id = attributes.btf_id;
  info.attach_btf_id = attributes.attach_btf_id;
  info.attach_btf_obj_id = attach_btf_of(program);
  info.func_info_rec_size = sizeof(abi::FuncInfo);
  TRY(row_out(call, program.func_info(), info.func_info, &info.nr_func_info));
  info.line_info_rec_size = sizeof(abi::LineInfo);
  TRY(row_out(call, program.line_info(), info.line_info, &info.nr_line_info));
  TRY(row_out(call, program.tags(), info.prog_tags, &info.nr_prog_tags));
  return info_out(call, info);
}

}  // namespace

Result<long> obj_get_info_by_fd(const Call& call) {
  const int fd = TRY(call.caller.resolve_fd(static_cast<int>(call.attr.info.bpf_fd)));
  const Result<object::Target> target = call.runtime.target_of_any_fd(fd);
  if (!target) return fail(target.error().value == EBADF ? EBADFD : target.error().value);
  switch (target->view->kind()) {
    case object::Kind::kMap:
      return map_info(call, static_cast<const map::Map&>(*target->view));
    case object::Kind::kBtf:
      return btf_info(call, static_cast<const map::BtfObject&>(*target->view));
    case object::Kind::kProg:
      return prog_info(call, static_cast<verifier::Program&>(*target->view));
    case object::Kind::kLink: {
      auto info = TRY(info_in<abi::LinkInfo>(call));
      TRY(fill_link_info(call, static_cast<const hook::Link&>(*target->view), info));
      return info_out(call, info);
    }
    case object::Kind::kPerfEvent:
    case object::Kind::kHook:
    case object::Kind::kIterator:
      break;
  }
  return fail(EINVAL);
}

}  // namespace portolan::syscall
