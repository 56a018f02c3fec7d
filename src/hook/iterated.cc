// SPDX-License-Identifier: Apache-2.0
#include "hook/iterated.h"

#include <optional>

#include "helper/kernel_btf.h"
#include "helper/map_image.h"
#include "hook/link.h"

namespace portolan::hook {
namespace {

constexpr std::string_view kElements = "bpf_map_elem", kMaps = "bpf_map", kPrograms = "bpf_prog",
                           kLinks = "bpf_link";

template <std::size_t size>
ConstBytes bytes_of(const char (&name)[size]) {
  return std::as_bytes(std::span(name));
}

// A program, with what hangs on it.
class ProgramImage {
 public:
  static Result<ProgramImage> create(const verifier::Program& program) {
    object::Runtime& runtime = program.runtime();
    ProgramImage made(TRY(helper::StructImage::create(runtime, "bpf_prog")),
                      TRY(helper::StructImage::create(runtime, "bpf_prog_aux")));
    const verifier::ProgramAttributes& attributes = program.attributes();
    made.program_.set("type", attributes.type);
    made.program_.set("expected_attach_type", attributes.expected_attach_type);
    made.program_.set("len", program.shown_insns().size());
    made.program_.set("tag", ConstBytes(attributes.tag.bytes));
    made.program_.set("aux", made.aux_);
    made.aux_.set("id", program.id());
    made.aux_.set("name", bytes_of(attributes.name));
    made.aux_.set("load_time", attributes.load_time_ns);
    made.aux_.set("verified_insns", attributes.verified_insns);
    made.aux_.set("attach_btf_id", attributes.attach_btf_id);
    made.aux_.set("max_ctx_offset", attributes.max_context_offset);
    const auto types = helper::kernel_btf(runtime);
    const btf::Type* const type =
        types && attributes.attach_btf_id != 0 ? (*types)->type(attributes.attach_btf_id) : nullptr;
    if (type != nullptr)
      made.aux_.set("attach_func_name", reinterpret_cast<std::uintptr_t>((*types)->name(*type)));
    made.aux_.set("prog", made.program_);
    return made;
  }
  const helper::StructImage& image() const { return program_; }

 private:
  ProgramImage(helper::StructImage program, helper::StructImage aux)
      : program_(std::move(program)), aux_(std::move(aux)) {}
  helper::StructImage program_, aux_;
};

class Elements final : public Iterated {
 public:
  Elements(map::Map& map, helper::StructImage image)
      : map_(map),
        image_(std::move(image)),
        key_(round_up(map.key_size(), 8) / 8),
        values_(map.is_per_cpu() ? map.value_bytes() / 8 : 0) {}
  bool find(std::uint64_t& place) override {
    value_ = map_.element_from(place, std::as_writable_bytes(std::span(key_)).data(),
                               std::as_writable_bytes(std::span(values_)).data());
    return value_ != nullptr;
  }
  void fill(IterContext& context, bool is_end) const override {
    context.members[0] = image_.address();
    context.members[1] = is_end ? 0 : reinterpret_cast<std::uintptr_t>(key_.data());
    context.members[2] = is_end ? 0 : reinterpret_cast<std::uintptr_t>(value_);
  }

 private:
  map::Map& map_;
  const helper::StructImage image_;
  std::vector<std::uint64_t> key_, values_;
  std::byte* value_ = nullptr;
};

// Objects of one kind, by their ids.
template <class Image>
class Objects final : public Iterated {
 public:
  using MakeImage = Result<Image> (*)(object::View& view);
  Objects(object::Runtime& runtime, object::Kind kind, MakeImage make)
      : runtime_(runtime), kind_(kind), make_(make) {}
  bool find(std::uint64_t& place) override {
    if (place > UINT32_MAX) return false;
    auto id = static_cast<std::uint32_t>(place);
    if (id != 0) --id;  // there is none of 0
    for (;;) {
      const auto next = runtime_.next_id(kind_, id);
      if (!next) return false;
      id = *next;
      const auto view = runtime_.view_by_id(kind_, id);
      if (!view) continue;
      auto image = make_(**view);
      if (!image) continue;  // it has just gone
      image_.emplace(std::move(*image));
      place = id;
      return true;
    }
  }
  void fill(IterContext& context, bool is_end) const override {
    context.members[0] = is_end ? 0 : image_->image().address();
  }

 private:
  object::Runtime& runtime_;
  object::Kind kind_;
  MakeImage make_;
  std::optional<Image> image_;
};

struct MapImage {
  static Result<MapImage> create(object::View& view) {
    return MapImage{TRY(helper::image_of_map(static_cast<map::Map&>(view)))};
  }
  const helper::StructImage& image() const { return image_; }
  helper::StructImage image_;
};

struct LinkImage {
  static Result<LinkImage> create(object::View& view) {
    const auto& link = static_cast<Link&>(view);
    auto* const program = static_cast<verifier::Program*>(
        TRY(view.runtime().view_by_id(object::Kind::kProg, link.program_id())));
    LinkImage made{TRY(helper::StructImage::create(view.runtime(), "bpf_link")),
                   TRY(ProgramImage::create(*program))};
    made.image_.set("id", link.id());
    made.image_.set("type", static_cast<std::uint64_t>(link.attributes().type));
    made.image_.set("prog", made.program_.image());
    return made;
  }
  const helper::StructImage& image() const { return image_; }
  helper::StructImage image_;
  ProgramImage program_;
};

}  // namespace

std::string_view iterated_by(const verifier::Program& program) {
  constexpr std::string_view kPrefix = "bpf_iter_";
  const verifier::ProgramAttributes& attributes = program.attributes();
  if (static_cast<abi::ProgType>(attributes.type) != abi::ProgType::kTracing ||
      static_cast<abi::AttachType>(attributes.expected_attach_type) != abi::AttachType::kTraceIter)
    return {};
  const auto types = helper::kernel_btf(program.runtime());
  const btf::Type* const type = types ? (*types)->type(attributes.attach_btf_id) : nullptr;
  if (type == nullptr) return {};
  const std::string_view function = (*types)->name(*type);
  for (const std::string_view target : {kElements, kMaps, kPrograms, kLinks})
    if (function.starts_with(kPrefix) && function.substr(kPrefix.size()) == target) return target;
  return {};
}

Result<void> check_iterated_map(const map::Map& map, const verifier::BufferBytes& bytes) {
  if (!map.has_iterator()) return fail(EINVAL);
  if (bytes.read_only > map.key_size() || bytes.read_write > map.value_bytes()) return fail(EACCES);
  return {};
}

Result<std::unique_ptr<Iterated>> make_iterated(object::Runtime& runtime, std::string_view target,
                                                map::Map* map) {
  using object::Kind;
  if (target == kElements) {
    if (map == nullptr) return fail(EINVAL);
    return std::make_unique<Elements>(*map, TRY(helper::image_of_map(*map)));
  }
  if (target == kMaps) return std::make_unique<Objects<MapImage>>(runtime, Kind::kMap, MapImage::create);
  if (target == kPrograms)
    return std::make_unique<Objects<ProgramImage>>(runtime, Kind::kProg, [](object::View& view) {
      return ProgramImage::create(static_cast<verifier::Program&>(view));
    });
  if (target == kLinks) return std::make_unique<Objects<LinkImage>>(runtime, Kind::kLink, LinkImage::create);
  return fail(ENOENT);
}

}  // namespace portolan::hook
