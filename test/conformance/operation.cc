// SPDX-License-Identifier: Apache-2.0
#include "operation.h"

#include <fmt/format.h>

namespace portolan::conformance {
namespace {

std::string hex(const std::vector<std::byte>& bytes) {
  constexpr std::size_t kShown = 160;
  std::string text;
  for (std::size_t i = 0; i < bytes.size() && i < kShown; ++i)
    text += fmt::format("{:02x}", std::to_integer<unsigned>(bytes[i]));
  if (bytes.size() > kShown) text += fmt::format("… ({} bytes)", bytes.size());
  return text;
}

std::string to_text(const Buffer& buffer) {
  if (buffer.is_path)
    return fmt::format("{}\"{}\"", place_name(buffer.place),
                       reinterpret_cast<const char*>(buffer.bytes.data()));
  if (buffer.place == Place::kWritable || buffer.place == Place::kReadOnly)
    return fmt::format("{}[{}: {}]", place_name(buffer.place), buffer.bytes.size(), hex(buffer.bytes));
  return place_name(buffer.place);
}

std::string to_text(const Reference& reference) {
  switch (reference.to) {
    case Referent::kMap:
      return fmt::format("map{}", reference.slot);
    case Referent::kBtf:
      return fmt::format("btf{}", reference.slot);
    case Referent::kClosed:
      return "a closed fd";
    case Referent::kNegative:
      return "-1";
    case Referent::kOrdinaryFile:
      return "an fd of /dev/null";
    case Referent::kMapId:
      return fmt::format("the id of map{}", reference.slot);
    case Referent::kBtfId:
      return fmt::format("the id of btf{}", reference.slot);
  }
  return "?";
}

std::string field_text(const Operation& operation, Field field) {
  for (const Buffer& buffer : operation.buffers)
    if (buffer.field.offset == field.offset) return to_text(buffer);
  for (const Reference& reference : operation.references)
    if (reference.field.offset == field.offset) return to_text(reference);
  if (field.size > 8)
    return fmt::format("\"{:.16}\"",
                       reinterpret_cast<const char*>(operation.attr.bytes.data()) + field.offset);
  const std::uint64_t value = operation.attr.get(field);
  return value == 0 ? "" : value < 10 ? fmt::format("{}", value) : fmt::format("{:#x}", value);
}

std::string call_text(const Operation& operation) {
  std::string text = fmt::format("{}", command_name(operation.command));
  if (fields_of(operation.command).begin() == fields_of(operation.command).end())
    text += fmt::format(" {}", operation.command);
  text += " {";
  const char* separator = "";
  for (const Field& field : fields_of(operation.command)) {
    const std::string value = field_text(operation, field);
    if (value.empty() || value == "\"\"") continue;
    text += fmt::format("{}{} = {}", separator, field.name, value);
    separator = ", ";
  }
  text += "}";
  if (operation.attr_place != Place::kWritable)
    text += fmt::format(", attr in {}", place_name(operation.attr_place));
  if (operation.size != size_of(operation.command)) text += fmt::format(", size {}", operation.size);
  if (operation.attr_at_the_end) text += ", nothing behind the attr";
  if (operation.stray_byte != 0) text += fmt::format(", attr byte {} is 0x5a", operation.stray_byte);
  if (operation.slot != kNoSlot) text += fmt::format(" -> map{}", operation.slot);
  return text;
}

}  // namespace

std::string to_text(const Operation& operation) {
  switch (operation.verb) {
    case Verb::kBpf:
      return call_text(operation);
    case Verb::kClose:
      return fmt::format("close map{}", operation.slot);
    case Verb::kIterate:
      return fmt::format("iterate over map{}", operation.slot);
    case Verb::kWalk:
      return fmt::format("walk map{} by {}, {} at a time", operation.slot, command_name(operation.command),
                         operation.count);
    case Verb::kListIds:
      return fmt::format("list ids by {}", command_name(operation.command));
    case Verb::kMap:
      return fmt::format("mapping {} = mmap of map{}: length {}, protection {}, flags {:#x}, offset {}",
                         operation.count, operation.slot, operation.mapping.length,
                         operation.mapping.protection, operation.mapping.flags, operation.mapping.offset);
    case Verb::kShow:
      return fmt::format("show mapping {}", operation.count);
    case Verb::kStore:
      return fmt::format("store into mapping {} at {}", operation.count, operation.mapping.offset);
    case Verb::kProtect:
      return fmt::format("mprotect mapping {} to {}", operation.count, operation.mapping.protection);
    case Verb::kUnmap:
      return fmt::format("munmap mapping {}", operation.count);
    case Verb::kUnlinkPin:
      return fmt::format("unlink pin {}", operation.count);
  }
  return "?";
}

}  // namespace portolan::conformance
