/* A thread that waits for the disk, so that control need not: writes one text at a time (sequence_file.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct mark_writer;

enum mark_writer_state { WRITER_IDLE, WRITER_BUSY, WRITER_DONE };

/* The folder's name must outlive it. */
int mark_writer_start(const char *folder, struct mark_writer **out);
/* Waits for what is under way. */
void mark_writer_stop(struct mark_writer *w);

/* Only when idle. Takes the text (freed by the writer). */
void mark_writer_give(struct mark_writer *w, char *text, size_t size);
/* DONE is said once, with the result; then it is idle. */
enum mark_writer_state mark_writer_ask(struct mark_writer *w, int *result);
/* Waits until it is not BUSY. */
void mark_writer_settle(struct mark_writer *w);
