/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * In place of the config.h that strongSwan's ./configure would make: included before everything else (meson.build).
 *
 * Only what strongSwan's headers ask for, and the one switch that changes the layout of its structures: distributions
 * build with --enable-mediation, which is ME.
 */
#pragma once

#define CONFIG_H_INCLUDED
#define ME 1

#define HAVE_ALLOCA_H 1
#define HAVE_CLOCK_GETTIME 1
#define HAVE_CLOSEFROM 1
#define HAVE_CONDATTR_CLOCK_MONOTONIC 1
#define HAVE_EXPLICIT_BZERO 1
#define HAVE_FMEMOPEN 1
#define HAVE_GCC_ATOMIC_OPERATIONS 1
#define HAVE_MEMRCHR 1
#define HAVE_SIGWAITINFO 1
#define HAVE_STDBOOL_H 1
#define HAVE_SYS_PARAM_H 1

#define CAPABILITIES_NATIVE 1
