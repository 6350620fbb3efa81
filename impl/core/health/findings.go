package health

// The ranks of a finding: Problem keeps a server from serving, or loses data.
const (
	Fine    = "ok"
	Warning = "warning"
	Problem = "problem"
)

// Finding is what was found out about one thing that a server needs.
type Finding struct {
	Check string `json:"check"` // what was looked at: "database", "clock" and so on
	Rank  string `json:"rank"`
	Says  string `json:"says"`
	Fix   string `json:"fix,omitempty"` // what to do; "" when all is fine
}

// Report collects findings.
type Report struct{ Findings []Finding }

// Fine notes what is as it should be.
func (r *Report) Fine(check, says string) { r.add(check, Fine, says, "") }

// Warn notes what should be otherwise.
func (r *Report) Warn(check, says, fix string) { r.add(check, Warning, says, fix) }

// Problem notes what must be otherwise.
func (r *Report) Problem(check, says, fix string) { r.add(check, Problem, says, fix) }

func (r *Report) add(check, rank, says, fix string) {
	r.Findings = append(r.Findings, Finding{Check: check, Rank: rank, Says: says, Fix: fix})
}

// Problems is how many there are.
func (r *Report) Problems() (n int) {
	for _, f := range r.Findings {
		if f.Rank == Problem {
			n++
		}
	}
	return n
}
