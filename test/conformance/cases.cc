// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

#include <unistd.h>

namespace portolan::conformance {
namespace {

Backend* kernel_backend = nullptr;
Backend* portolan_backend = nullptr;

std::uint64_t address(const Data& bytes) { return reinterpret_cast<std::uint64_t>(bytes.data()); }

}  // namespace

void set_case_backends(Backend* kernel, Backend* portolan) {
  kernel_backend = kernel;
  portolan_backend = portolan;
}

Backend* case_backend(std::string_view name) { return name == "kernel" ? kernel_backend : portolan_backend; }

Data data(std::initializer_list<unsigned> bytes) {
  Data made;
  for (unsigned byte : bytes) made.push_back(static_cast<std::byte>(byte));
  return made;
}
Data number32(std::uint32_t value) {
  const auto bytes = bytes_of(value);
  return {bytes.begin(), bytes.end()};
}
Data number64(std::uint64_t value) {
  const auto bytes = bytes_of(value);
  return {bytes.begin(), bytes.end()};
}
Data repeated(std::size_t size, unsigned byte) { return Data(size, static_cast<std::byte>(byte)); }
Data joined(std::initializer_list<Data> parts) {
  Data all;
  for (const Data& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

void Case::SetUp() {
  backend_ = case_backend(GetParam());
  if (backend_ == nullptr) GTEST_SKIP() << "no backend " << GetParam() << " here";
}

void Case::TearDown() {
  for (int fd : fds_) backend_->close(fd);
}

long Case::call(unsigned command, Attr attr, unsigned size) { return call_back(command, attr, size); }
long Case::call_back(unsigned command, Attr& attr, unsigned size) {
  return backend_->bpf(command, attr.bytes.data(), size);
}

long Case::load(std::uint32_t type, const std::vector<Bytecode::Insn>& insns,
                const std::function<void(Attr&)>& edit) {
  static const char license[] = "GPL";
  Attr attr;
  attr.set(load::kProgType, type).set(load::kInsnCnt, insns.size());
  attr.set(load::kInsns, reinterpret_cast<std::uint64_t>(insns.data()));
  attr.set(load::kLicense, reinterpret_cast<std::uint64_t>(license));
  if (edit) edit(attr);
  return keep(call(kProgLoad, attr));
}

int Case::program(std::uint32_t type, const std::vector<Bytecode::Insn>& insns) {
  const long fd = load(type, insns);
  if (fd >= 0) return static_cast<int>(fd);
  std::vector<char> log(1 << 16);
  load(type, insns, [&](Attr& attr) {
    attr.set(load::kLogLevel, 1).set(load::kLogSize, log.size());
    attr.set(load::kLogBuf, reinterpret_cast<std::uint64_t>(log.data()));
  });
  ADD_FAILURE() << result_text(fd) << " " << log.data();
  return -1;
}

long Case::run(int program) {
  const Data packet(64);
  Attr attr;
  attr.set(test::kProgFd, static_cast<std::uint64_t>(program)).set(test::kDataSizeIn, packet.size());
  attr.set(test::kDataIn, reinterpret_cast<std::uint64_t>(packet.data())).set(test::kRepeat, 1);
  const long ran = call_back(kProgTestRun, attr);
  return ran < 0 ? ran : static_cast<long>(attr.get(test::kRetval));
}

int Case::keep(long fd) {
  if (fd >= 0) fds_.push_back(static_cast<int>(fd));
  return static_cast<int>(fd);
}

long Case::create(const MapSpec& spec, const std::function<void(Attr&)>& edit) {
  Attr attr;
  attr.set(create::kMapType, spec.type)
      .set(create::kKeySize, spec.key_size)
      .set(create::kValueSize, spec.value_size);
  attr.set(create::kMaxEntries, spec.max_entries).set(create::kMapFlags, spec.flags);
  if (edit) edit(attr);
  return keep(call(kMapCreate, attr));
}

int Case::map(const MapSpec& spec) {
  const long fd = create(spec);
  EXPECT_GE(fd, 0) << result_text(fd);
  return static_cast<int>(fd);
}

long Case::load_btf(const Data& blob) {
  Attr attr;
  attr.set(btf::kBtf, address(blob)).set(btf::kBtfSize, blob.size());
  return keep(call(kBtfLoad, attr));
}

int Case::types_btf() {
  const long fd = load_btf(map_types_btf());
  EXPECT_GE(fd, 0) << result_text(fd);
  return static_cast<int>(fd);
}

long Case::update(int fd, const Data& key, const Data& value, std::uint64_t flags) {
  Attr attr;
  attr.set(element::kMapFd, static_cast<std::uint64_t>(fd)).set(element::kKey, address(key));
  return call(kUpdate, attr.set(element::kValue, address(value)).set(element::kFlags, flags));
}
long Case::lookup(int fd, const Data& key, Data* value, std::uint64_t flags) {
  Attr attr;
  attr.set(element::kMapFd, static_cast<std::uint64_t>(fd)).set(element::kKey, address(key));
  return call(kLookup, attr.set(element::kValue, address(*value)).set(element::kFlags, flags));
}
long Case::take(int fd, const Data& key, Data* value, std::uint64_t flags) {
  Attr attr;
  attr.set(element::kMapFd, static_cast<std::uint64_t>(fd)).set(element::kKey, address(key));
  return call(kLookupAndDelete, attr.set(element::kValue, address(*value)).set(element::kFlags, flags));
}
long Case::erase(int fd, const Data& key) {
  return call(kDelete,
              Attr().set(element::kMapFd, static_cast<std::uint64_t>(fd)).set(element::kKey, address(key)));
}
long Case::next(int fd, const Data* key, Data* following) {
  Attr attr;
  attr.set(element::kMapFd, static_cast<std::uint64_t>(fd)).set(element::kValue, address(*following));
  if (key != nullptr) attr.set(element::kKey, address(*key));
  return call(kGetNextKey, attr);
}
long Case::freeze(int fd) {
  return call(kFreeze, Attr().set(element::kMapFd, static_cast<std::uint64_t>(fd)));
}

long Case::info(int fd, Data* details) {
  Attr attr;
  attr.set(info::kBpfFd, static_cast<std::uint64_t>(fd)).set(info::kInfoLen, details->size());
  const long result = call_back(kObjGetInfo, attr.set(info::kInfo, address(*details)));
  if (result == 0) details->resize(attr.get(info::kInfoLen));
  return result;
}
std::uint32_t Case::id(int fd) {
  Data details(info::kMapSize);
  EXPECT_ANSWER(0, info(fd, &details));
  return load_unaligned<std::uint32_t>(details.data() + info::kMapIdOffset);
}

long Case::pin(int fd, const std::string& path, std::uint32_t flags) {
  Attr attr;
  attr.set(object::kPathname, reinterpret_cast<std::uint64_t>(path.c_str()));
  return call(kObjPin,
              attr.set(object::kBpfFd, static_cast<std::uint64_t>(fd)).set(object::kFileFlags, flags));
}
long Case::get(const std::string& path, std::uint32_t flags) {
  Attr attr;
  attr.set(object::kPathname, reinterpret_cast<std::uint64_t>(path.c_str())).set(object::kFileFlags, flags);
  return keep(call(kObjGet, attr));
}

long Case::batch(unsigned command, int fd, Batch& batch) {
  Attr attr;
  if (!batch.from_start) attr.set(batch::kInBatch, address(batch.in));
  attr.set(batch::kOutBatch, address(batch.out)).set(batch::kKeys, address(batch.keys));
  attr.set(batch::kValues, address(batch.values)).set(batch::kCount, batch.count);
  attr.set(batch::kMapFd, static_cast<std::uint64_t>(fd)).set(batch::kElemFlags, batch.elem_flags);
  const long result = call_back(command, attr.set(batch::kFlags, batch.flags));
  batch.count = static_cast<std::uint32_t>(attr.get(batch::kCount));
  return result;
}

}  // namespace portolan::conformance
