/* Built with the address sanitizer: 1, else 0. gcc and clang have different words for it. Random tests take fewer
 * rounds then: other programs of the same run look for memory errors in the same code. */
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif
