// SPDX-License-Identifier: Apache-2.0
// clang-format off
// One file of an iterator, which several processes may have.
//
// Layout        Stored { magic; lock; pin; position; text }, and the edges of the object: the program, the map.
//               position  where it is, and which bytes of `text` were written and have not been read.
//
// Invariants    position and text change under `lock` only. They are outside data: both are copied before they are
//               looked at, and bounded.
//
// Progress      read() blocks for the lock while another reads, the program's runs included.
//
// Crash table   killed …              others see                       put right by
//               inside read()         the position before, or after;   nobody: the next reader goes on from there
//                                     or bytes of both
// clang-format on
#include "hook/iterator.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/fault_copy.h"
#include "helper/struct_image.h"
#include "hook/iterated.h"
#include "vm/prepare.h"
#include "vm/runner.h"

namespace portolan::hook {
namespace {

constexpr std::uint64_t kMagic = 0x31'5245'5449'4c54'50ull;  // "PTLITER1"
constexpr std::uint32_t kMostObjects = 1'000'000;            // MAX_ITER_OBJECTS, in one read

struct Position {
  std::uint64_t place = 0;
  std::uint64_t seq_num = 0;
  std::uint32_t is_done = 0;              // the program has seen the end
  std::uint32_t from = 0, text_size = 0;  // of what is left to be read
};

}  // namespace

struct Iterator::Stored {
  std::uint64_t magic;
  sync::RobustLock lock;
  Pin pin;
  Position position;
  char text[helper::SeqFile::kRoom];
};

Result<UniqueFd> Iterator::create(const Link& link, const Pin& pin) {
  if (link.attributes().type != abi::LinkType::kIter) return fail(EINVAL);
  object::Runtime& runtime = link.runtime();
  const object::Edge edges[] = {{object::Kind::kProg, link.program_id()},
                                {object::Kind::kMap, link.attributes().map_id}};
  const std::uint32_t count = link.attributes().map_id != 0 ? 2 : 1;
  object::Draft draft = TRY(runtime.draft(object::Kind::kIterator, sizeof(Stored), sizeof(Stored), 0, count));
  auto* const stored = draft.state.at<Stored>(draft.payload_offset);
  stored->pin = pin;
  stored->magic = kMagic;  // publish() publishes it
  return TRY(runtime.publish(std::move(draft), {edges, count}, shm::Access::kReadOnly)).fd;
}

Result<std::unique_ptr<object::View>> Iterator::make(object::Mapped mapped) {
  auto* const stored = mapped.state.at<Stored>(mapped.payload_offset);
  if (stored == nullptr || stored->magic != kMagic) return fail(EINVAL);
  return std::unique_ptr<object::View>(new Iterator(std::move(mapped), stored));
}

Iterator::Iterator(object::Mapped mapped, Stored* stored)
    : View(std::move(mapped)), stored_(stored), pin_(stored->pin) {}

// One read.
class Iterator::Reading {
 public:
  static Result<Reading> begin(Iterator& iterator, Position& position) {
    object::Runtime& runtime = iterator.runtime();
    verifier::Program* program = nullptr;
    map::Map* map = nullptr;
    for (const object::Edge& edge : TRY(runtime.edges_of(iterator))) {
      object::View* const view = TRY(runtime.view_by_id(edge.kind, edge.id));
      if (edge.kind == object::Kind::kProg) program = static_cast<verifier::Program*>(view);
      if (edge.kind == object::Kind::kMap) map = static_cast<map::Map*>(view);
    }
    if (program == nullptr) return fail(EINVAL);
    const vm::Executable* const executable = TRY(vm::executable_of(*program));
    if (map != nullptr) TRY(check_iterated_map(*map, executable->buffer_bytes()));
    Reading reading(std::make_unique<vm::Runner>(runtime, TRY(runtime.actor()), nullptr), *executable,
                    *program, runtime.statistics_are_on(), position);
    reading.objects_ = TRY(make_iterated(runtime, iterated_by(*program), map));
    reading.meta_.emplace(TRY(helper::StructImage::create(runtime, "bpf_iter_meta")));
    reading.seq_.emplace(TRY(helper::StructImage::create(runtime, "seq_file")));
    reading.meta_->set("seq", *reading.seq_);
    reading.meta_->set("session_id", iterator.id());
    return reading;
  }

  // As bpf_seq_read: what was written is text().
  Result<void> collect(std::size_t size) {
    bool found = objects_->find(position_.place);
    if (found) {
      TRY(show_first());
      std::uint32_t objects = 0;
      do {
        const std::size_t before = file_.text().size();
        ++position_.place;
        ++objects;
        found = objects_->find(position_.place);
        if (!found) break;
        ++position_.seq_num;
        if (before >= size) return {};
        if (objects >= kMostObjects) return before == 0 ? fail(EAGAIN) : Result<void>{};
        if (const Result<void> shown = show(false); !shown) {
          file_.cut(before);
          return before == 0 ? shown : Result<void>{};
        }
      } while (true);
    }
    return stop();
  }
  std::string_view text() const { return file_.text(); }

 private:
  Reading(std::unique_ptr<vm::Runner> runner, const vm::Executable& executable, verifier::Program& program,
          bool counts, Position& position)
      : runner_(std::move(runner)),
        executable_(executable),
        program_(program),
        counts_(counts),
        position_(position) {}

  Result<void> show_first() {
    Result<void> shown = show(false);
    if (!shown) file_.cut(0);
    return shown;
  }
  // The end shows, too, but once.
  Result<void> stop() {
    if (position_.is_done != 0) return {};
    const std::size_t before = file_.text().size();
    (void)run(true);
    if (!file_.has_overflowed()) {
      position_.is_done = 1;
      return {};
    }
    file_.cut(before);
    return before == 0 ? fail(E2BIG) : Result<void>{};
  }
  Result<void> show(bool is_end) {
    if (run(is_end) != 0) return fail(EAGAIN);
    if (file_.has_overflowed()) return fail(E2BIG);
    return {};
  }
  std::uint32_t run(bool is_end) {
    meta_->set("seq_num", position_.seq_num);
    IterContext context;
    context.meta = meta_->address();
    objects_->fill(context, is_end);
    helper::Attachment attachment;
    attachment.seq_file = &file_;
    const vm::Runner::Inside inside(*runner_);
    return static_cast<std::uint32_t>(
        counts_ ? runner_->run_counted(executable_, program_, &context, &attachment)
                : runner_->run_inside(executable_, program_.id(), &context, &attachment));
  }

  std::unique_ptr<vm::Runner> runner_;
  const vm::Executable& executable_;
  verifier::Program& program_;
  const bool counts_;
  Position& position_;
  std::unique_ptr<Iterated> objects_;
  std::optional<helper::StructImage> meta_, seq_;
  helper::SeqFile file_;
};

Result<std::size_t> Iterator::read(void* to, std::size_t size) {
  const sync::Actor actor = TRY(runtime().actor());
  const sync::RobustGuard guard(stored_->lock, actor, [] {});
  Position position = stored_->position;
  const auto give = [&](const char* text) -> Result<std::size_t> {
    const std::size_t part = std::min<std::size_t>(position.text_size, size);
    const bool is_there = portolan_fault_copy(to, text + position.from, part);
    if (is_there) {
      position.from += static_cast<std::uint32_t>(part);
      position.text_size -= static_cast<std::uint32_t>(part);
    }
    stored_->position = position;
    if (!is_there) return fail(EFAULT);
    return part;
  };
  if (position.from > sizeof stored_->text || position.text_size > sizeof stored_->text - position.from)
    return fail(EINVAL);
  if (position.text_size != 0) return give(stored_->text);

  const Result<void> collected = [&]() -> Result<void> {
    Reading reading = TRY(Reading::begin(*this, position));
    TRY(reading.collect(size));
    position.from = 0;
    position.text_size = static_cast<std::uint32_t>(reading.text().size());
    std::memcpy(stored_->text, reading.text().data(), reading.text().size());
    return {};
  }();
  if (!collected) {
    stored_->position = position;
    return fail(collected.error());
  }
  return give(stored_->text);
}

}  // namespace portolan::hook
