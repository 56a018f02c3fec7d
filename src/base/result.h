// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <expected>
#include <utility>

#include "base/errno.h"

namespace portolan {

template <class T>
using Result = std::expected<T, Errno>;

// `return fail(EINVAL);` in a function that returns Result<T>.
[[nodiscard]] constexpr std::unexpected<Errno> fail(int error) { return std::unexpected(Errno{error}); }
[[nodiscard]] constexpr std::unexpected<Errno> fail(Errno error) { return std::unexpected(error); }

// TRY(expression) is the expression's value, or returns its error from the enclosing function.
#define TRY(...)                                                                        \
  __extension__({                                                                       \
    auto&& try_result_ = (__VA_ARGS__);                                                 \
    if (!try_result_) [[unlikely]]                                                      \
      return ::std::unexpected(try_result_.error());                                    \
    ::portolan::detail::take_value(::std::forward<decltype(try_result_)>(try_result_)); \
  })

namespace detail {
template <class R>
constexpr auto take_value(R&& result) {
  if constexpr (!std::is_void_v<typename std::remove_cvref_t<R>::value_type>) return *std::forward<R>(result);
}
}  // namespace detail

}  // namespace portolan
