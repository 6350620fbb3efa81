// Package verify runs a document's own examples against a running server and holds every answer against the document.
//
// What a creation answers with is threaded, by the document's links, into the operations that use it; at the end
// everything that was made is deleted. Nothing else is changed: an operation that would change what the run did not make is left out, with
// the reason. Start reading at Run.
package verify

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"parley/impl/contract"
)

// Verdicts of a case.
const (
	Passed  = "passed"
	Failed  = "failed"
	Skipped = "skipped"
)

// deletion is the case in which the run deletes what it made.
const deletion = "deletion"

// Options say what is verified, and how.
type Options struct {
	Target   string             // the server's address, without a path
	Key      string             // sent as Bearer
	Document *contract.Document // what the server promises
	Only     []string           // tags and operationIds; all when empty. What they need is run, too.
	ReadOnly bool               // only reads, and requests that are to be refused
	// Disposable servers are there for the run alone: what cannot be deleted is made, too, and settings are changed.
	Disposable bool
	Model      string       // answers are asked of it; the cheapest one when empty
	HTTP       *http.Client // nil for one that follows no redirects
	Say        func(string) // is told what is going to be done
	Progress   func(Result) // is told of every case at once
}

// Result is one case: a request and what became of it.
type Result struct {
	Operation string        `json:"operation"`
	Surface   string        `json:"surface"`
	Case      string        `json:"case"`   // what was asked, as "example", "no key" or "unknown id"
	Status    int           `json:"status"` // of the answer; 0 when there was none
	Verdict   string        `json:"verdict"`
	Cause     string        `json:"cause,omitempty"`  // of what was left out: one of the causes
	Reason    string        `json:"reason,omitempty"` // why it failed or was left out
	Took      time.Duration `json:"took_ns"`
}

// Report is what a run found.
type Report struct {
	Target  string    `json:"target"`
	Started time.Time `json:"started"`
	Results []Result  `json:"results"`
	Answers int       `json:"answers"`        // how many answers models were asked for
	Causes  []Cause   `json:"causes"`         // of what was left out, the most frequent first
	Left    []string  `json:"left,omitempty"` // paths of what was made and could not be deleted
}

// Count tells how many cases have a verdict.
func (r *Report) Count(verdict string) int {
	n := 0
	for _, result := range r.Results {
		if result.Verdict == verdict {
			n++
		}
	}
	return n
}

// run is one run.
type run struct {
	Options
	ctx     context.Context
	report  *Report
	mark    string                           // what is in the names of things that the run makes
	models  map[string]string                // the model for each member that names one
	own     map[string]string                // what the run made: "surface/parameter" → value
	found   map[string]string                // what lists showed, good for reads only
	made    []made                           // in the order of their making
	allowed int                              // how many answers may still be asked for
	tried   map[*contract.Operation]bool     // an example was, at least once
	settled map[string]bool                  // cases that passed or failed
	waiting map[*contract.Operation][]Result // what was left out, by the last attempt
}

// made is something that is deleted at the end.
type made struct {
	operation *contract.Operation
	values    map[string]string // of the path
}

// Run verifies a server. The error is about what kept it from being verified; what the server does wrong is in the report.
// What was made is deleted also when ctx ends.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.HTTP == nil {
		o.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	r := &run{
		Options: o, ctx: ctx, report: &Report{Target: o.Target, Started: time.Now().UTC()}, mark: mark(),
		models: map[string]string{}, own: map[string]string{}, found: map[string]string{},
		tried: map[*contract.Operation]bool{}, settled: map[string]bool{}, waiting: map[*contract.Operation][]Result{},
	}
	chosen, err := r.chosen()
	if err != nil {
		return nil, err
	}
	if err := r.reach(); err != nil {
		return nil, err
	}
	r.announce(chosen)
	r.walk(chosen)
	r.ctx = context.WithoutCancel(ctx)
	r.clean()
	if r.Disposable && !r.ReadOnly {
		r.ctx = ctx
		r.last(chosen)
		r.ctx = context.WithoutCancel(ctx)
		r.clean()
	}
	r.giveUp(chosen)
	return r.report, ctx.Err()
}

// chosen are the operations that are asked for.
func (r *run) chosen() ([]*contract.Operation, error) {
	for _, name := range r.Only {
		if !slices.ContainsFunc(r.Document.Operations, func(op *contract.Operation) bool { return is(op, name) }) {
			return nil, fmt.Errorf("the document has no tag and no operation %q", name)
		}
	}
	var all []*contract.Operation
	for _, op := range r.Document.Operations {
		if len(r.Only) == 0 || slices.ContainsFunc(r.Only, func(name string) bool { return is(op, name) }) {
			all = append(all, op)
		}
	}
	return all, nil
}

func is(op *contract.Operation, name string) bool {
	return op.Surface() == name || op.OperationID == name
}

// reach finds out whether there is a server, and which models it has.
func (r *run) reach() error {
	request, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.Target+"/", nil)
	if err != nil {
		return fmt.Errorf("read target: %w", err)
	}
	response, err := r.HTTP.Do(request)
	if err != nil {
		return fmt.Errorf("reach target: %w", err)
	}
	_ = response.Body.Close() // whatever it is
	if r.ReadOnly {
		return nil
	}
	for _, member := range []string{"llm_id", "model"} {
		r.models[member] = r.Model
		if r.Model == "" {
			r.models[member] = r.cheapest("llm")
		}
	}
	r.models["sd_model_id"] = r.cheapest("sd")
	return nil
}

// announce says what is going to be done, and what it may cost.
func (r *run) announce(chosen []*contract.Operation) {
	creations := 0
	for _, op := range chosen {
		if answers(op) && !r.ReadOnly {
			r.allowed += len(examples(op)) + 1
		}
		if r.removal(op) != nil && !r.ReadOnly {
			creations++
		}
	}
	if r.Say == nil {
		return
	}
	if r.ReadOnly {
		r.Say(fmt.Sprintf("verifying %d operations of %s by reading alone", len(chosen), r.Target))
		return
	}
	r.Say(fmt.Sprintf("verifying %d operations of %s: making things by %d of them, which are deleted at the end, and asking %s for at most %d answers",
		len(chosen), r.Target, creations, r.models["model"], r.allowed))
}

// needed are the operations that make things: the chosen ones and those that the others' paths need.
func (r *run) needed(chosen []*contract.Operation) []*contract.Operation {
	names := map[string]bool{}
	for _, op := range chosen {
		for _, name := range variables(op) {
			names[op.Surface()+"/"+name] = true
		}
	}
	var all []*contract.Operation
	for range r.Document.Operations { // what a creation needs may need another
		all = all[:0]
		before := len(names)
		for _, op := range r.Document.Operations {
			removal := r.removal(op)
			if removal == nil || op.Method == http.MethodGet {
				continue
			}
			last := variables(removal)
			if slices.Contains(chosen, op) || names[op.Surface()+"/"+last[len(last)-1]] {
				all = append(all, op)
				for _, name := range variables(op) {
					names[op.Surface()+"/"+name] = true
				}
			}
		}
		if len(names) == before {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b *contract.Operation) int { return len(variables(a)) - len(variables(b)) })
	return all
}

// clean deletes what was made, the last first, and what the deletions answer is held against the document like all else.
func (r *run) clean() {
	all := r.made
	r.made = nil
	for _, m := range slices.Backward(all) {
		request, err := r.request(m.operation, m.values, nil, "", nil)
		if err != nil {
			r.settle(m.operation, deletion, 0, Failed, err.Error(), 0)
			continue
		}
		result := r.send(m.operation, deletion, request, success, http.StatusNotFound) // what held it may be gone
		if result.Verdict == Failed {
			r.report.Left = append(r.report.Left, request.URL.Path)
		}
	}
}
