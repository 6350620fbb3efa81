package db

// What is offered to an account (providers, models, switches and aliases, its own
// and everyone's) has a version, which each change of it raises. Each look-up of a
// caller tells it, so that what was read of the offer can be kept for as long as
// the version stays the same.

// catalogVersion is a column of look-ups of callers: the version for the account in
// another column; 0 before the first change.
func catalogVersion(account string) string {
	return `coalesce((select v.version from catalog_versions v where v.account_id = ` + account + `), 0)
			+ coalesce((select v.version from catalog_versions v where v.account_id = ''), 0) as catalog_version`
}

const (
	// versioned begins a statement that changes what account $1 is offered, and
	// afterVersion is the condition by which the change comes after it: changes that
	// touch the same rows in different orders wait for each other here.
	versioned = `
		with version as (
			insert into catalog_versions (account_id, version)
			values ($1, 1)
			on conflict (account_id) do update
			set version = catalog_versions.version + 1
			returning 1
		)`
	afterVersion = `exists (select 1 from version)`
)
