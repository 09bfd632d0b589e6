/* Jobs of IPsec-MB: for algorithms of which it has neither bursts nor functions. */
#include "drivers/crypto_imb.h"

void
crypto_jobs(IMB_MGR *m, const IMB_JOB *job, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		*m->get_next_job(m) = job[i];
		m->submit_job_nocheck(m);
	}
	while (m->flush_job(m))
		;
}
