/* The version, from the build (meson.build). */
#pragma once

#ifndef ISTHMUS_VERSION
#define ISTHMUS_VERSION "unknown"
#endif
