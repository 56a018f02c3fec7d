// SPDX-License-Identifier: Apache-2.0
#include "random_maker.h"

namespace portolan::conformance {

void ProgramMaker::context() {
  if (at(6).kind != Kind::kContext) return;
  const int to = scratch_reg();
  if (program_.type == 31 || program_.type == 17) {
    code_.load(Bytecode::kDouble, to, 6, static_cast<int>(dice_.below(8)) * 8);
    if (program_.type == 31 && dice_.one_in(3))
      code_.store(Bytecode::kDouble, 6, static_cast<int>(dice_.below(8)) * 8, to);
  } else if (program_.type == 6) {
    code_.load(Bytecode::kWord, to, 6, 16);
  } else {
    code_.load(Bytecode::kWord, to, 6, static_cast<int>(dice_.of({0, 4, 8, 16, 32, 48, 52})));
    if (dice_.one_in(3)) code_.store(Bytecode::kWord, 6, 48 + 4 * static_cast<int>(dice_.below(5)), to);
  }
  at(to) = {.kind = Kind::kNumber};
}

void ProgramMaker::packet() {
  if (!is_packet_type()) return context();
  const int data = saved_reg(), end = data == 9 ? 8 : 9, probe = 2;
  const int length = 1 + static_cast<int>(dice_.below(40));
  code_.load(Bytecode::kWord, data, 6, program_.type == 6 ? 0 : 76);
  code_.load(Bytecode::kWord, end, 6, program_.type == 6 ? 4 : 80);
  code_.move(probe, data).add(probe, length);
  // if (probe > end) goto exit, in one of its forms
  jump_by_register(dice_.one_in(2) ? 0x2d : 0xad, probe, end);
  at(data) = {.kind = Kind::kPacket, .range = length};
  at(end) = {.kind = Kind::kPacketEnd};
  at(probe) = {};
}

void ProgramMaker::jump_by_register(std::uint8_t code, int probe, int end) {
  if (code == 0x2d)
    code_.jump_to(0x2d, probe, end, exit_);
  else
    code_.jump_to(0xad, end, probe, exit_);  // if (end < probe)
}

void ProgramMaker::packet_access() {
  const int data = any_of(Kind::kPacket);
  if (data < 0) return packet();
  const std::uint32_t size = static_cast<std::uint32_t>(dice_.of({1, 2, 4}));
  const int room = at(data).range - static_cast<int>(size);
  if (room < 0) return;
  const int off = static_cast<int>(dice_.below(static_cast<std::uint64_t>(room) + 1)), to = scratch_reg();
  if (dice_.one_in(3)) {
    code_.store(Bytecode::size_of(size), data, off, number_reg());
  } else if (to != data) {
    code_.load(Bytecode::size_of(size), to, data, off);
    at(to) = {.kind = Kind::kNumber};
  }
}

void ProgramMaker::packet_by_number() {
  const int data = any_of(Kind::kPacket), end = any_of(Kind::kPacketEnd), index = number_reg();
  if (data < 0 || end < 0) return packet();
  code_.raw(0x57, index, 0, 0, static_cast<std::int32_t>(dice_.of({7, 15, 31})));
  at(index).is_small = false;
  code_.move(3, data).raw(0x0f, 3, index, 0, 0).move(4, 3).add(4, 4);
  code_.jump_to(0x2d, 4, end, exit_);
  at(3) = {};
  at(4) = {};
  code_.load(Bytecode::kWord, 5, 3, 0);
  at(5) = {.kind = Kind::kNumber};
  if (index == 3 || index == 4 || index == 5) at(index) = index == 5 ? at(5) : Reg{};
}

}  // namespace portolan::conformance
