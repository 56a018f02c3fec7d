// SPDX-License-Identifier: Apache-2.0
// Random sequences of attaching and detaching, put to the kernel and to Portolan: after each step both say
// the same, and show the same list.
#include <fmt/format.h>

#include <optional>

#include "cases.h"
#include "dice.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kSchedCls = 3, kCgroupSkb = 8;
constexpr std::size_t kPrograms = 8;  // the last is of another type
constexpr std::size_t kShown = 80;
constexpr std::size_t kLevels = 3;

std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

// What a step is about, as indices: each side has its own fds and ids.
struct Step {
  enum Kind { kAttach, kDetach, kLink, kUpdateLink, kDetachLink, kCloseLink } kind{};
  std::uint32_t flags = 0;
  std::optional<std::size_t> program, other_program, link, relative_program, relative_link;
  std::uint64_t revision = 0;
  std::size_t level = 0;  // of nested cgroups

  std::string text() const {
    constexpr const char* kNames[] = {"attach", "detach", "link", "update", "detach link", "close"};
    const auto index = [](std::optional<std::size_t> which) { return which ? static_cast<int>(*which) : -1; };
    return fmt::format(
        "{} program {} flags {:#x} other {} link {} relative program {} link {} revision {} level {}",
        kNames[kind], index(program), flags, index(other_program), index(link), index(relative_program),
        index(relative_link), revision, level);
  }
};

// One backend with programs and links, attached in one place.
class Side {
 public:
  Side(Backend& backend, bool is_cgroup) : backend_(backend), is_cgroup_(is_cgroup) {
    const std::uint32_t type = is_cgroup ? kCgroupSkb : kSchedCls;
    for (std::size_t i = 0; i < kPrograms; ++i)
      programs_.push_back(load(i + 1 < kPrograms ? type : kSchedCls + kCgroupSkb - type));
  }
  ~Side() {
    for (const Object& link : links_)
      if (link.fd >= 0) backend_.close(static_cast<int>(link.fd));
    for (const Object& program : programs_) {
      Step step;
      step.kind = Step::kDetach;
      step.program = index_of(programs_, program.id);
      for (step.level = 0; step.level < kLevels; ++step.level) {
        (void)put(step);
        (void)put(step);
      }
      backend_.close(static_cast<int>(program.fd));
    }
  }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  std::size_t links() const { return links_.size(); }
  long put(const Step& step) {
    switch (step.kind) {
      case Step::kAttach:
      case Step::kDetach:
        return attach(step);
      case Step::kLink:
        return create_link(step);
      case Step::kUpdateLink:
        return backend_call(kLinkUpdate, Attr()
                                             .set(link::kLinkFd, fd_of(links_, step.link))
                                             .set(link::kNewProgFd, fd_of(programs_, step.program))
                                             .set(link::kUpdateFlags, step.flags)
                                             .set(link::kOldProgFd, fd_of(programs_, step.other_program)));
      case Step::kDetachLink:
        return backend_call(kLinkDetach, Attr().set(link::kLinkFd, fd_of(links_, step.link)));
      case Step::kCloseLink:
        backend_.close(static_cast<int>(links_[*step.link].fd));
        links_[*step.link].fd = -1;
        return 0;
    }
    return 0;
  }

  // The list as PROG_QUERY shows it, with indices instead of ids.
  std::string list(std::uint32_t query_flags = 0, std::size_t level = 0) {
    std::uint32_t ids[kShown] = {}, links[kShown] = {};
    Attr attr;
    attr.set(query::kTarget, target(level)).set(query::kType, type()).set(query::kQueryFlags, query_flags);
    attr.set(query::kProgIds, address(ids)).set(query::kCount, kShown);
    if (!is_cgroup_) attr.set(query::kLinkIds, address(links));
    const long result = backend_.bpf(kProgQuery, attr.bytes.data(), 64);
    std::string text =
        fmt::format("{} count {} flags {} revision {}:", result_text(result), attr.get(query::kCount),
                    attr.get(query::kAttachFlags), attr.get(query::kRevision));
    for (std::size_t i = 0; i < attr.get(query::kCount); ++i)
      text += fmt::format(" {}/{}", index_of(programs_, ids[i]),
                          links[i] == 0 ? -1 : static_cast<long>(index_of(links_, links[i])));
    return text;
  }
  std::uint64_t revision() {
    Attr attr;
    attr.set(query::kTarget, target(0)).set(query::kType, type());
    (void)backend_.bpf(kProgQuery, attr.bytes.data(), 64);
    return attr.get(query::kRevision);
  }

 private:
  struct Object {
    long fd;
    std::uint32_t id;
  };
  static std::size_t index_of(const std::vector<Object>& objects, std::uint32_t id) {
    for (std::size_t i = 0; i < objects.size(); ++i)
      if (objects[i].id == id) return i;
    return 999;
  }
  static std::uint64_t fd_of(const std::vector<Object>& objects, std::optional<std::size_t> index) {
    return index ? static_cast<std::uint64_t>(objects[*index].fd) : 0;
  }
  std::uint64_t target(std::size_t level) {
    const auto& points = backend_.attach_points();
    if (!is_cgroup_) return points.ifindex;
    return static_cast<std::uint64_t>(level == 0 ? points.cgroup : points.cgroups_below[level - 1]);
  }
  std::uint32_t type() const { return is_cgroup_ ? attach_type::kCgroupEgress : attach_type::kTcxIngress; }
  long backend_call(unsigned command, Attr attr, unsigned size = 16) {
    return backend_.bpf(command, attr.bytes.data(), size);
  }
  Object object(long fd) {
    Data details(8);
    Attr attr;
    attr.set(info::kBpfFd, static_cast<std::uint64_t>(fd)).set(info::kInfoLen, details.size());
    (void)backend_call(kObjGetInfo, attr.set(info::kInfo, address(details.data())));
    return {fd, load_unaligned<std::uint32_t>(details.data() + 4)};
  }
  Object load(std::uint32_t type) {
    const auto insns = Bytecode().set(0, 1).exit().finish();
    Attr attr;
    attr.set(load::kProgType, type).set(load::kInsnCnt, insns.size());
    attr.set(load::kInsns, address(insns.data())).set(load::kLicense, address("GPL"));
    if (type == kCgroupSkb) attr.set(load::kAttachType, attach_type::kCgroupEgress);
    const long fd = backend_call(kProgLoad, attr, kAttrSize);
    EXPECT_GE(fd, 0) << backend_.name() << " " << result_text(fd);
    return object(fd);
  }
  // Of what a step names beside its program: a program or a link, by fd or by id.
  std::uint64_t relative(const Step& step) const {
    const bool by_id = (step.flags & kById) != 0;
    if (step.relative_link) return by_id ? links_[*step.relative_link].id : fd_of(links_, step.relative_link);
    if (step.relative_program)
      return by_id ? programs_[*step.relative_program].id : fd_of(programs_, step.relative_program);
    return 0;
  }
  long attach(const Step& step) {
    Attr attr;
    attr.set(attach::kTarget, target(step.level)).set(attach::kType, type()).set(attach::kFlags, step.flags);
    attr.set(attach::kProgFd, fd_of(programs_, step.program)).set(attach::kRelative, relative(step));
    attr.set(attach::kReplaceFd, fd_of(programs_, step.other_program)).set(attach::kRevision, step.revision);
    return backend_call(step.kind == Step::kAttach ? kProgAttach : kProgDetach, attr, 32);
  }
  long create_link(const Step& step) {
    Attr attr;
    attr.set(link::kProgFd, fd_of(programs_, step.program)).set(link::kTarget, target(step.level));
    attr.set(link::kType, type()).set(link::kFlags, step.flags).set(link::kRelative, relative(step));
    const long fd = backend_call(kLinkCreate, attr.set(link::kRevision, step.revision), link::kSize);
    if (fd < 0) return fd;
    links_.push_back(object(fd));
    return 0;
  }

  Backend& backend_;
  bool is_cgroup_;
  std::vector<Object> programs_, links_;
};

class Steps {
 public:
  Steps(std::uint64_t seed, bool is_cgroup, std::size_t levels)
      : dice_(seed), is_cgroup_(is_cgroup), levels_(levels) {}
  // `links` there were, of which some may be closed; the list is at `revision`.
  Step next(std::size_t links, std::uint64_t revision) {
    Step step;
    closed_.resize(links);
    const std::uint32_t roll = dice_.below(100);
    if (levels_ > 1) step.level = dice_.below(static_cast<std::uint32_t>(levels_));
    step.kind = roll < 35   ? Step::kAttach
                : roll < 55 ? Step::kDetach
                : roll < 75 ? Step::kLink
                : roll < 85 ? Step::kUpdateLink
                : roll < 92 ? Step::kDetachLink
                            : Step::kCloseLink;
    if (!dice_.one_in(12)) step.program = program();
    const bool is_of_link =
        step.kind == Step::kUpdateLink || step.kind == Step::kDetachLink || step.kind == Step::kCloseLink;
    if (is_of_link) {
      step.link = open_link();
      if (!step.link) return next(links, revision);
      if (step.kind == Step::kCloseLink) closed_[*step.link] = true;
      if (dice_.one_in(3)) step.flags = kReplace;
      if (dice_.one_in(3)) step.other_program = program();
      return step;
    }
    const bool is_plain = is_cgroup_ && step.kind == Step::kDetach && !dice_.one_in(6);
    step.flags = is_plain ? 0 : flags();
    // What links to cgroups take, mostly.
    if (is_cgroup_ && step.kind == Step::kLink && !dice_.one_in(12))
      step.flags &= ~std::uint32_t{kAllowMulti | kAllowOverride | kReplace};
    if (dice_.one_in(4) || (step.flags & kReplace) != 0) step.other_program = program();
    if ((step.flags & kOfLink) != 0)
      step.relative_link = open_link();
    else if ((dice_.one_in(3) && !is_plain) || (step.flags & kById) != 0)
      step.relative_program = program();
    if (dice_.one_in(6)) step.revision = dice_.one_in(3) ? dice_.below(5) : revision;
    return step;
  }

 private:
  std::size_t program() { return dice_.one_in(25) ? kPrograms - 1 : dice_.below(kPrograms - 1); }
  std::optional<std::size_t> open_link() {
    if (closed_.empty()) return {};
    const std::size_t wanted = closed_.size() - 1 - dice_.below(std::min<std::size_t>(closed_.size(), 8));
    if (closed_[wanted]) return {};
    return wanted;
  }
  std::uint32_t flags() {
    std::uint32_t flags = 0;
    const auto maybe = [&](unsigned n, std::uint32_t flag) {
      if (dice_.one_in(n)) flags |= flag;
    };
    maybe(4, kBefore);
    maybe(5, kAfter);
    maybe(7, kReplace);
    maybe(6, kById);
    maybe(6, kOfLink);
    maybe(40, 0x80);
    if (is_cgroup_) {
      if (!dice_.one_in(levels_ > 1 ? 2 : 8)) flags |= kAllowMulti;
      maybe(levels_ > 1 ? 4 : 15, kAllowOverride);
      maybe(4, kPreorder);
    } else {
      maybe(30, kAllowMulti);
    }
    return flags;
  }

  Dice dice_;
  bool is_cgroup_;
  std::size_t levels_;
  std::vector<bool> closed_;
};

void compare(std::uint64_t seed, bool is_cgroup, int steps, std::size_t levels = 1) {
  Backend* const kernel = case_backend("kernel");
  Backend* const portolan = case_backend("portolan");
  if (kernel == nullptr || portolan == nullptr) GTEST_SKIP() << "one backend is missing";
  if (kernel->attach_points().netns < 0) GTEST_SKIP() << "no network namespace of our own";
  if (is_cgroup && kernel->attach_points().cgroup < 0) GTEST_SKIP() << "no cgroup of our own";
  Side theirs(*kernel, is_cgroup), ours(*portolan, is_cgroup);
  Steps choose(seed, is_cgroup, levels);
  std::string so_far;
  for (int i = 0; i < steps; ++i) {
    const Step step = choose.next(theirs.links(), theirs.revision());
    so_far += fmt::format("{}: {}\n", i, step.text());
    const long expected = theirs.put(step), actual = ours.put(step);
    so_far += fmt::format("   {}\n   {}\n", result_text(expected), theirs.list());
    ASSERT_EQ(result_text(expected), result_text(actual)) << "seed " << seed << "\n" << so_far;
    ASSERT_EQ(theirs.list(), ours.list()) << "seed " << seed << "\n" << so_far;
    for (std::size_t level = 0; is_cgroup && level < levels; ++level) {
      ASSERT_EQ(theirs.list(0, level), ours.list(0, level)) << "seed " << seed << "\n" << so_far;
      ASSERT_EQ(theirs.list(1, level), ours.list(1, level)) << "seed " << seed << "\n" << so_far;
    }
  }
}

TEST(RandomAttach, lists_of_tcx_programs_are_the_kernel_s) {
  for (std::uint64_t seed = 0; seed < 8 && !testing::Test::HasFatalFailure(); ++seed)
    compare(seed, false, 120);
}
TEST(RandomAttach, lists_of_cgroup_programs_are_the_kernel_s) {
  for (std::uint64_t seed = 0; seed < 60 && !testing::Test::HasFatalFailure(); ++seed)
    compare(seed, true, 120);
}

TEST(RandomAttach, programs_of_nested_cgroups_are_the_kernel_s) {
  for (std::uint64_t seed = 100; seed < 130 && !testing::Test::HasFatalFailure(); ++seed)
    compare(seed, true, 120, kLevels);
}

}  // namespace
}  // namespace portolan::conformance
