// SPDX-License-Identifier: Apache-2.0
#include "verifier/btf_check.h"

namespace portolan::verifier {
namespace {

template <class... Args>
std::unexpected<Errno> refuse(btf::Log* log, fmt::format_string<Args...> format, Args&&... args) {
  if (log != nullptr) log->print(format, std::forward<Args>(args)...);
  return fail(EINVAL);
}

Result<void> check_abnormal_return(std::span<const SubprogramShape> subprograms, btf::Log* log) {
  for (std::size_t i = 1; i < subprograms.size(); ++i) {
    if (subprograms[i].has_ld_abs) return refuse(log, "LD_ABS is not allowed in subprogs without BTF\n");
    if (subprograms[i].has_tail_call)
      return refuse(log, "tail_call is not allowed in subprogs without BTF\n");
  }
  return {};
}

bool returns_scalar(const btf::Btf& btf, const btf::Type& function) {
  const btf::Type& prototype = *btf.type(function.type);
  if (prototype.type == 0) return false;
  const btf::Type& returned = *btf.type(btf.resolve(prototype.type));
  const auto kind = abi::btf::kind(returned);
  if (kind == abi::btf::Kind::kEnum || kind == abi::btf::Kind::kEnum64) return true;
  return kind == abi::btf::Kind::kInt && returned.size <= 8;
}

Result<void> check_functions(const UnverifiedProgram& program, std::span<const SubprogramShape> subprograms,
                             btf::Log* log) {
  if (program.func_info.empty()) return check_abnormal_return(subprograms, log);
  if (program.func_info.size() != subprograms.size())
    return refuse(log, "number of funcs in func_info doesn't match number of subprogs\n");
  for (std::size_t i = 0; i < subprograms.size(); ++i) {
    const abi::FuncInfo& info = program.func_info[i];
    if (info.insn_off != subprograms[i].start)
      return refuse(log, "func_info BTF section doesn't match subprog layout in BPF program\n");
    if (i == 0 || returns_scalar(*program.btf, *program.btf->type(info.type_id))) continue;
    if (subprograms[i].has_ld_abs)
      return refuse(log, "LD_ABS is only allowed in functions that return 'int'.\n");
    if (subprograms[i].has_tail_call)
      return refuse(log, "tail_call is only allowed in functions that return 'int'.\n");
  }
  return {};
}

Result<void> check_lines(const UnverifiedProgram& program, std::span<const SubprogramShape> subprograms,
                         btf::Log* log) {
  std::size_t subprogram = 0;  // whose first line is the next to come
  std::uint32_t previous = 0;
  for (std::size_t i = 0; i < program.line_info.size(); ++i) {
    const abi::LineInfo& line = program.line_info[i];
    if ((i != 0 && line.insn_off <= previous) || line.insn_off >= program.insns.size())
      return refuse(log, "Invalid line_info[{}].insn_off:{} (prev_offset:{} prog->len:{})\n", i,
                    line.insn_off, previous, program.insns.size());
    if (program.insns[line.insn_off].code == 0)
      return refuse(log, "Invalid insn code at line_info[{}].insn_off\n", i);
    if (!program.btf->has_string(line.line_off) || !program.btf->has_string(line.file_name_off))
      return refuse(log, "Invalid line_info[{}].line_off or .file_name_off\n", i);
    if (subprogram != subprograms.size()) {
      if (line.insn_off == subprograms[subprogram].start)
        ++subprogram;
      else if (line.insn_off > subprograms[subprogram].start)
        return refuse(log, "missing bpf_line_info for func#{}\n", subprogram);
    }
    previous = line.insn_off;
  }
  if (!program.line_info.empty() && subprogram != subprograms.size())
    return refuse(log, "missing bpf_line_info for {} funcs starting from func#{}\n",
                  subprograms.size() - subprogram, subprogram);
  return {};
}

}  // namespace

Result<void> check_btf_info_early(const UnverifiedProgram& program, btf::Log* log) {
  std::uint32_t previous = 0;
  for (std::size_t i = 0; i < program.func_info.size(); ++i) {
    const abi::FuncInfo& info = program.func_info[i];
    if (i == 0 && info.insn_off != 0)
      return refuse(log, "nonzero insn_off {} for the first func info record", info.insn_off);
    if (i != 0 && info.insn_off <= previous)
      return refuse(log, "same or smaller insn offset ({}) than previous func info record ({})",
                    info.insn_off, previous);
    const btf::Type* type = program.btf->type(info.type_id);
    if (type == nullptr || abi::btf::kind(*type) != abi::btf::Kind::kFunc)
      return refuse(log, "invalid type id {} in func info", info.type_id);
    previous = info.insn_off;
  }
  return {};
}

Result<void> check_btf_info(const UnverifiedProgram& program, std::span<const SubprogramShape> subprograms,
                            btf::Log* log) {
  TRY(check_functions(program, subprograms, log));
  return check_lines(program, subprograms, log);
}

const btf::Type* function_at(const UnverifiedProgram& program, std::uint32_t insn) {
  for (const abi::FuncInfo& info : program.func_info)
    if (info.insn_off == insn) return program.btf->type(info.type_id);
  return nullptr;
}

}  // namespace portolan::verifier
