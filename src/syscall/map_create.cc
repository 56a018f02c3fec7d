// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "base/random.h"
#include "map/array_of_maps.h"
#include "map/family.h"
#include "map/value_types.h"
#include "syscall/call.h"

namespace portolan::syscall {

using namespace abi::map_flag;

namespace {

bool takes_map_extra(std::uint32_t type) {
  return type == static_cast<std::uint32_t>(abi::MapType::kBloomFilter) ||
         type == static_cast<std::uint32_t>(abi::MapType::kArena) ||
         type == static_cast<std::uint32_t>(abi::MapType::kRhash);
}

bool is_struct_ops(std::uint32_t type) {
  return type == static_cast<std::uint32_t>(abi::MapType::kStructOps);
}

// One bit per NUMA node that is there; nodes of machines with more than 64 are taken to be there.
bool node_is_online(std::uint32_t node) {
  if (node >= 1024) return false;
  char path[64];
  std::snprintf(path, sizeof path, "/sys/devices/system/node/node%u", node);
  struct ::stat status{};
  return node == 0 || sys::fstatat(AT_FDCWD, path, status, 0).has_value();
}

// What concerns every type, before the type is asked.
Result<void> check_before_type(const abi::MapCreateAttr& attr) {
  if (attr.btf_vmlinux_value_type_id != 0) {
    if (!is_struct_ops(attr.map_type) || attr.btf_key_type_id != 0 || attr.btf_value_type_id != 0)
      return fail(EINVAL);
  } else if (attr.btf_key_type_id != 0 && attr.btf_value_type_id == 0) {
    return fail(EINVAL);
  }
  if (attr.map_extra != 0 && !takes_map_extra(attr.map_type)) return fail(EINVAL);
  TRY(access_of(attr.map_flags));
  if ((attr.map_flags & kNumaNode) != 0 && attr.numa_node != map::kNoNumaNode &&
      !node_is_online(attr.numa_node))
    return fail(EINVAL);
  return {};
}

map::MapSpec spec_of(const object::Runtime& runtime, const abi::MapCreateAttr& attr) {
  map::MapSpec spec;
  spec.type = attr.map_type;
  spec.key_size = attr.key_size;
  spec.value_size = attr.value_size;
  spec.max_entries = attr.max_entries;
  spec.map_flags = attr.map_flags & ~kTokenFd;
  spec.cpus = runtime.possible_cpus();
  spec.map_extra = attr.map_extra;
  spec.created_by_uid = static_cast<std::uint32_t>(sys::call(SYS_getuid));
  if (!spec.has(kZeroSeed)) spec.seed = random_u64();
  return spec;
}

// The types of keys and values, where BTF is given with the map.
Result<void> add_types(const Call& call, const abi::MapCreateAttr& attr, const map::Family& family,
                       map::MapSpec& spec) {
  if (attr.btf_key_type_id == 0 && attr.btf_value_type_id == 0) return {};
  const object::Target target = TRY(call.target(attr.btf_fd, object::Kind::kBtf));
  spec.btf_id = target.view->id();
  spec.btf_key_type_id = attr.btf_key_type_id;
  spec.btf_value_type_id = attr.btf_value_type_id;
  return map::check_types(static_cast<map::BtfObject&>(*target.view), family, spec);
}

// The one program that may use the map, by the hash of its instructions.
Result<void> add_exclusive_program(const Call& call, const abi::MapCreateAttr& attr, map::MapSpec& spec) {
  if (attr.excl_prog_hash == 0 && attr.excl_prog_hash_size == 0) return {};
  if (attr.excl_prog_hash == 0 || attr.excl_prog_hash_size != sizeof spec.exclusive_program)
    return fail(EINVAL);
  spec.is_exclusive = 1;
  return call.caller.copy_in(spec.exclusive_program, attr.excl_prog_hash, sizeof spec.exclusive_program);
}

}  // namespace

Result<long> map_create(const Call& call) {
  const abi::MapCreateAttr& attr = call.attr.map_create;
  TRY(check_before_type(attr));
  const map::Family* family = map::find_family(attr.map_type);
  if (family == nullptr || call.runtime.kernel_version() < family->since) return fail(EINVAL);
  map::MapSpec spec = spec_of(call.runtime, attr);
  TRY(family->alloc_check(spec, (attr.map_flags & kNumaNode) != 0 ? attr.numa_node : map::kNoNumaNode));
  if (family->normalize != nullptr) family->normalize(spec);
  if (attr.map_ifindex != 0) return fail(EINVAL);  // there is no device to offload to
  if ((attr.map_flags & kTokenFd) != 0) {
    const int token = TRY(call.caller.resolve_fd(attr.map_token_fd));
    (void)TRY(call.runtime.target_of_any_fd(token));
    return fail(EINVAL);  // nothing is a token
  }
  map::MapSpec inner;
  if (family->is_of_maps) {
    const object::Target example = TRY(call.target(attr.inner_map_fd, object::Kind::kMap));
    inner = TRY(map::inner_template(static_cast<map::Map&>(*example.view)));
  }
  spec.map_flags &= ~kFileFlags;  // they are the fd's
  object::Draft draft = TRY(
      map::draft_map(call.runtime, spec, family->is_of_maps ? &inner : nullptr, attr.btf_value_type_id != 0));
  TRY(copy_name(spec.name, attr.map_name));
  TRY(add_types(call, attr, *family, spec));
  TRY(add_exclusive_program(call, attr, spec));
  map::set_types(draft, spec);

  const object::Edge edge{object::Kind::kBtf, spec.btf_id};
  const std::span<const object::Edge> edges(&edge, spec.btf_id != 0 ? 1 : 0);
  auto published = TRY(call.runtime.publish(std::move(draft), edges, *access_of(attr.map_flags)));
  return TRY(call.caller.install_fd(std::move(published.fd)));
}

}  // namespace portolan::syscall
