package app

import "parley/impl/core/job"

// worker is the runner with every kind of job that this server does.
func (a *App) worker() *job.Runner {
	return job.NewRunner(a.database.DB, a.log, now)
}
