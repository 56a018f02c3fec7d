// SPDX-License-Identifier: Apache-2.0
#include "helper_side.h"

#include <sched.h>

#include <algorithm>

#include "base/assert.h"
#include "observe.h"
#include "program_types.h"
#include "world.h"

namespace portolan::conformance {

HelperSide::HelperSide(Backend& backend) : backend_(backend) {
  types_fd_ = load_btf(program_types());
  map_types_fd_ = load_btf(map_types_btf());
}

HelperSide::~HelperSide() {
  clear();
  backend_.close(types_fd_);
  backend_.close(map_types_fd_);
}

void HelperSide::clear() {
  rings_.clear();
  events_.clear();
  for (std::vector<int>* fds : {&targets_, &fds_}) {
    for (int fd : *fds) backend_.close(fd);
    fds->clear();
  }
  if (results_ >= 0) backend_.close(results_);
  results_ = -1;
}

std::string HelperSide::make(const HelperSequence& sequence) {
  clear();
  sequence_ = &sequence;
  const auto& maps = sequence.maps;
  fds_.resize(maps.size(), -1);
  for (std::size_t i = maps.size(); i-- > 0;) {  // inner maps first
    int example = -1;
    for (std::size_t inner = i + 1; inner < maps.size(); ++inner)
      if (maps[inner].outer == static_cast<int>(i)) example = fds_[inner];
    fds_[i] = create(maps[i], example);
  }
  results_ = create({kArray, 4, kResultsSize, 1, 0, false}, -1);
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const bool is_user = maps[i].type == kUserRingbuf, is_ring = is_user || maps[i].type == kRingbuf;
    rings_.push_back(
        !is_ring ? nullptr
                 : std::make_unique<RingEnd>(backend_, fds_[i], maps[i].max_entries,
                                             is_user ? RingEnd::Role::kProducer : RingEnd::Role::kConsumer));
    if (maps[i].type != kPerfEventArray || !events_.empty()) continue;
    const auto cpu = static_cast<std::uint32_t>(::sched_getcpu());
    events_.push_back(std::make_unique<EventEnd>(backend_, cpu, 1));
    events_.push_back(std::make_unique<EventEnd>(backend_, cpu, 2));
    events_.push_back(std::make_unique<EventEnd>(backend_, (cpu + 1) % possible_cpus(), 1));
  }
  for (std::size_t i = 0; i < sequence.targets.size(); ++i) {
    const HelperProgram program = compile_target(i, sequence, fds_, results_);
    const long fd = load(program, nullptr);
    if (fd < 0) {
      std::string log;
      load(program, &log);
      return result_text(fd) + "\n" + log;
    }
    targets_.push_back(static_cast<int>(fd));
  }
  return {};
}

HelperSide::Seen HelperSide::run(const HelperStep& step) {
  Seen seen;
  for (const UserOp& op : step.before) seen.before.push_back(act(op));
  const std::uint32_t zero = 0;
  std::vector<std::byte> results(kResultsSize);
  element(kUpdate, results_, &zero, results.data());
  const HelperProgram program = compile(step, *sequence_, fds_, results_);
  seen.loaded = load(program, nullptr);
  if (seen.loaded < 0) {
    load(program, &seen.log);
    return seen;
  }
  const int fd = static_cast<int>(seen.loaded);
  seen.loaded = 0;
  seen.ran = test_run(fd, &seen.retval);
  backend_.close(fd);
  if (element(kLookup, results_, &zero, results.data()) == 0) seen.results = std::move(results);
  for (std::size_t i = 0; i < fds_.size(); ++i) seen.maps.push_back(dump(i));
  return seen;
}

int HelperSide::load_btf(const std::vector<std::byte>& blob) {
  Attr attr;
  attr.set(btf::kBtf, reinterpret_cast<std::uint64_t>(blob.data())).set(btf::kBtfSize, blob.size());
  const long fd = backend_.bpf(kBtfLoad, attr.bytes.data(), btf::kSize);
  PORTOLAN_ASSERT(fd >= 0);
  return static_cast<int>(fd);
}

int HelperSide::create(const ProgramMap& map, int example) {
  Attr attr;
  attr.set(create::kMapType, map.type).set(create::kKeySize, map.key_size);
  attr.set(create::kValueSize, map.value_size)
      .set(create::kMaxEntries, entries_of(map.type, map.max_entries));
  attr.set(create::kMapFlags, map.flags);
  if (example >= 0) attr.set(create::kInnerMapFd, static_cast<std::uint64_t>(example));
  if (map.is_locked)
    attr.set(create::kBtfFd, static_cast<std::uint64_t>(map_types_fd_))
        .set(create::kBtfKeyTypeId, kU32)
        .set(create::kBtfValueTypeId, kLockedValue);
  const long fd = backend_.bpf(kMapCreate, attr.bytes.data(), kAttrSize);
  PORTOLAN_ASSERT(fd >= 0);
  return static_cast<int>(fd);
}

long HelperSide::load(const HelperProgram& program, std::string* log) {
  std::vector<FuncInfo> functions{{0, kMainFunction}};
  for (std::uint32_t start : program.functions) functions.push_back({start, kStaticFunction});
  std::vector<char> text(log == nullptr ? 0 : 16 << 20);
  static const char license[] = "GPL";
  Attr attr;
  attr.set(load::kProgType, sequence_->program_type).set(load::kInsnCnt, program.insns.size());
  attr.set(load::kInsns, reinterpret_cast<std::uint64_t>(program.insns.data()));
  attr.set(load::kLicense, reinterpret_cast<std::uint64_t>(license));
  attr.set(load::kProgBtfFd, static_cast<std::uint64_t>(types_fd_))
      .set(load::kFuncInfoRecSize, sizeof(FuncInfo));
  attr.set(load::kFuncInfo, reinterpret_cast<std::uint64_t>(functions.data()))
      .set(load::kFuncInfoCnt, functions.size());
  if (log != nullptr) {
    attr.set(load::kLogLevel, 1).set(load::kLogSize, text.size());
    attr.set(load::kLogBuf, reinterpret_cast<std::uint64_t>(text.data()));
  }
  const long fd = backend_.bpf(kProgLoad, attr.bytes.data(), kAttrSize);
  if (log != nullptr) *log = text.data();
  return fd;
}

long HelperSide::test_run(int program, std::uint64_t* retval) {
  std::vector<std::byte> packet(64);
  Attr attr;
  attr.set(test::kProgFd, static_cast<std::uint64_t>(program));
  if (sequence_->program_type != kRawTracepoint)
    attr.set(test::kDataSizeIn, packet.size())
        .set(test::kDataIn, reinterpret_cast<std::uint64_t>(packet.data()))
        .set(test::kRepeat, 1);
  const long ran = backend_.bpf(kProgTestRun, attr.bytes.data(), kAttrSize);
  *retval = attr.get(test::kRetval);
  return ran;
}

long HelperSide::element(unsigned command, int fd, const void* key, void* value) {
  Attr attr;
  attr.set(element::kMapFd, static_cast<std::uint64_t>(fd));
  attr.set(element::kKey, reinterpret_cast<std::uint64_t>(key));
  attr.set(element::kValue, reinterpret_cast<std::uint64_t>(value));
  return backend_.bpf(command, attr.bytes.data(), command == kGetNextKey ? 24 : element::kSize);
}

std::string HelperSide::act(const UserOp& op) {
  const int fd = fds_[op.map];
  const auto key = key_of(sequence_->maps[op.map], op.key);
  const auto put = [&](int object) { return result_text(element(kUpdate, fd, key.data(), &object)); };
  switch (op.verb) {
    case UserVerb::kPutProgram:
      return put(targets_[op.number]);
    case UserVerb::kPutMap:
      return put(fds_[op.number]);
    case UserVerb::kPutEvent:
      return put(events_[op.number]->fd());
    case UserVerb::kErase:
      return result_text(element(kDelete, fd, key.data(), nullptr));
    case UserVerb::kConsume:
      return rings_[op.map]->consume(op.number);
    case UserVerb::kProduce:
      return rings_[op.map]->produce(op.number, op.bytes);
    case UserVerb::kRewind:
      rings_[op.map]->rewind();
      return {};
    case UserVerb::kReadEvent:
      return events_[op.number]->read(op.key);
  }
  return {};
}

// All elements, by key; of a ring, the positions. What maps of objects hold, user space put there.
std::string HelperSide::dump(std::size_t number) {
  const ProgramMap& map = sequence_->maps[number];
  if (rings_[number] != nullptr) return rings_[number]->positions();
  if (holds_objects(map.type) || map.type == kStackTrace) return {};
  const int fd = fds_[number];
  const std::size_t value_size =
      map.is_per_cpu() ? round_up(map.value_size, 8) * possible_cpus() : map.value_size;
  std::vector<std::string> lines;
  std::string key(map.key_size, '\0'), next(map.key_size, '\0'), value(value_size, '\0');
  const void* from = nullptr;
  while (element(kGetNextKey, fd, from, next.data()) == 0) {
    key = next;
    from = key.data();
    if (element(kLookup, fd, key.data(), value.data()) == 0) lines.push_back(key + value);
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all;
}

}  // namespace portolan::conformance
