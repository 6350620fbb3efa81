package verify

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"parley/impl/contract"
)

// What was left out is tried again: what was missing may have been made by an operation further on, or in the background. So
// many rounds may find nothing more to do, each a moment after the one before.
const (
	idleRounds = 2
	roundPause = 500 * time.Millisecond
)

// walk goes through the operations: what makes things, what reads them, what changes them, and again what could not be
// run; then what they must refuse.
func (r *run) walk(chosen []*contract.Operation) {
	creations := r.needed(chosen)
	r.create(creations)
	r.sendForms(chosen)
	for _, op := range chosen {
		if op.Method == http.MethodGet && len(variables(op)) == 0 {
			r.examples(op, r.found)
		}
	}
	rest := slices.DeleteFunc(slices.Clone(chosen), func(op *contract.Operation) bool { return slices.Contains(creations, op) || r.tried[op] })
	r.useAll(rest)
	r.repeat(creations, chosen)
	for _, op := range creations {
		switch {
		case r.tried[op] || !slices.Contains(chosen, op):
		case r.ReadOnly:
			r.skip(op, causeReads, "")
		default:
			r.skip(op, causeNothing, "nothing was made to use it on")
		}
	}
	for _, op := range chosen {
		r.refusals(op)
	}
}

// left tells whether something of an operation was left out for a cause.
func (r *run) left(op *contract.Operation, causes ...string) bool {
	return slices.ContainsFunc(r.waiting[op], func(result Result) bool { return slices.Contains(causes, result.Cause) })
}

// last runs what a disposable server alone may be asked for, each with what was waiting for it. It comes when everything else is done,
// because it may change how the server works, or delete all there is.
func (r *run) last(chosen []*contract.Operation) {
	for _, op := range chosen {
		if !lasting(op) || r.tried[op] {
			continue
		}
		r.examples(op, r.own)
		r.repeat(nil, slices.DeleteFunc(slices.Clone(chosen), func(other *contract.Operation) bool {
			return !r.left(other, causeNothing) || !r.linked(op, other)
		}))
	}
}

// lasting tells whether an operation changes, or deletes, something that no path tells to be the run's.
func lasting(op *contract.Operation) bool {
	return op.Method != http.MethodGet && len(variables(op)) == 0 && !answers(op)
}

// useAll runs operations on what there is: what reads, then what changes, what asks a model last.
func (r *run) useAll(operations []*contract.Operation) {
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodPut, http.MethodPost} {
		for _, models := range []bool{false, true} {
			for _, op := range operations {
				if op.Method == method && answers(op) == models {
					r.use(op)
				}
			}
		}
	}
}

// create runs what makes things, as long as one more can be run; what lacks something to name, only when nothing else can be.
func (r *run) create(creations []*contract.Operation) {
	now := map[*contract.Operation]bool{}
	next := func(op *contract.Operation, lacking bool) bool {
		return !now[op] && (!r.tried[op] || r.hopeful(op)) && r.makeable(op) && (lacking || r.complete(op))
	}
	for lacking := false; !r.ReadOnly; {
		i := slices.IndexFunc(creations, func(op *contract.Operation) bool { return next(op, lacking) })
		switch {
		case i >= 0:
			now[creations[i]], lacking = true, false
			r.examples(creations[i], r.naming(creations[i]))
		case lacking:
			return
		default:
			lacking = true
		}
	}
}

// makeable tells whether all parameters of a creation's path have a value, or will get one by its naming.
func (r *run) makeable(op *contract.Operation) bool {
	return r.ready(op, r.naming(op))
}

// naming is what the run made and, for a PUT that makes something, the name that the run gives it.
func (r *run) naming(op *contract.Operation) map[string]string {
	if op.Method != http.MethodPut {
		return r.own
	}
	names := variables(op)
	last := names[len(names)-1]
	if known(r.own, op.Surface(), last) != "" {
		return r.own
	}
	values := maps.Clone(r.own)
	for _, p := range op.Params {
		if p.Value.In != "path" || p.Value.Name != last {
			continue
		}
		for _, name := range []string{text(exampleOf(p.Value)) + "-" + r.mark, r.mark} {
			if p.Value.Schema.Value.VisitJSON(name) == nil {
				values[op.Surface()+"/"+last] = name
				break
			}
		}
	}
	return values
}

// repeat tries again what was left out, as long as that may help.
func (r *run) repeat(creations, chosen []*contract.Operation) {
	for idle := 0; idle < idleRounds && slices.ContainsFunc(chosen, r.hopeful); {
		select {
		case <-time.After(roundPause):
		case <-r.ctx.Done():
			return
		}
		before := len(r.settled)
		r.lookAgain()
		r.create(creations)
		r.sendForms(chosen)
		r.useAll(slices.DeleteFunc(slices.Clone(chosen), func(op *contract.Operation) bool { return !r.hopeful(op) || slices.Contains(creations, op) }))
		if idle++; len(r.settled) > before {
			idle = 0
		}
	}
}

// hopeful tells whether something of an operation was left out for a cause that may pass.
func (r *run) hopeful(op *contract.Operation) bool {
	return r.left(op, causeNothing, causeGone, causeServer)
}

// lookAgain reads once more what may show things for operations that were left out.
func (r *run) lookAgain() {
	for _, op := range r.Document.Operations {
		values := r.own
		if len(variables(op)) == 0 {
			values = r.found
		}
		if op.Method != http.MethodGet || op.WebSocket() || !r.ready(op, values) || !r.leadsOn(op) {
			continue
		}
		request, err := r.request(op, values, nil, jsonBody, nil)
		if err != nil {
			continue // the document has no example of a parameter
		}
		if status, header, body, _, err := r.do(request); err == nil && status < 300 {
			r.learn(op, values, request, status, header, body)
		}
	}
}

// leadsOn tells whether a link of an operation leads to one that was left out.
func (r *run) leadsOn(op *contract.Operation) bool {
	return slices.ContainsFunc(r.Document.Operations, func(other *contract.Operation) bool { return r.hopeful(other) && r.linked(op, other) })
}

// linked tells whether a success of an operation leads to another.
func (r *run) linked(op, other *contract.Operation) bool {
	for status, response := range op.Responses.Map() {
		for _, link := range response.Value.Links {
			if status[0] == '2' && link.Value.OperationID == other.OperationID {
				return true
			}
		}
	}
	return false
}

// use runs an operation on what there is, or says why not.
func (r *run) use(op *contract.Operation) {
	values := r.own
	switch {
	case op.Method == http.MethodGet && !r.ready(op, values):
		values = r.found
	case op.Method != http.MethodGet && r.ReadOnly:
		r.skip(op, causeReads, "")
		return
	case lasting(op):
		r.skip(op, causeOthers, "")
		return
	}
	if !r.ready(op, values) {
		r.skip(op, causeNothing, "nothing was made or found to use it on")
		return
	}
	r.examples(op, values)
	if op.Method == http.MethodGet && r.left(op, causeGone) && r.ready(op, r.found) {
		r.examples(op, r.found) // what the run made may be gone
	}
}

// Causes for which cases are left out.
const (
	causeReads   = "only reads were asked for"
	causeOthers  = "it changes what the run did not make, or makes what cannot be deleted"
	causeNothing = "there is nothing that it could use or name"
	causeGone    = "what the example names is not there"
	causeServer  = "the server may not or cannot"
	causeAddress = "it names an address elsewhere"
	causeSecret  = "it wants a secret that only people have"
	causeExample = "the document shows no example"
	causeAnswers = "no more answers may be asked for"
)

// Cause is a cause for which cases were left out.
type Cause struct {
	Text  string `json:"cause"`
	Cases int    `json:"cases"`
}

// giveUp reports what was left out to the end, and counts the causes.
func (r *run) giveUp(chosen []*contract.Operation) {
	for _, op := range chosen {
		switch {
		case op.Method != http.MethodDelete || r.tried[op] || r.settled[caseName(op, deletion)]:
		case r.ReadOnly:
			r.skip(op, causeReads, "")
		default:
			r.skip(op, causeNothing, "the run made nothing that it deletes")
		}
	}
	counts := map[string]int{}
	for _, op := range r.Document.Operations {
		for _, result := range r.waiting[op] {
			r.tell(result)
			counts[result.Cause]++
		}
	}
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		r.report.Causes = append(r.report.Causes, Cause{text, counts[text]})
	}
	slices.SortStableFunc(r.report.Causes, func(a, b Cause) int { return b.Cases - a.Cases })
}

// skip leaves out an operation, unless something of it was settled.
func (r *run) skip(op *contract.Operation, cause, detail string) {
	delete(r.waiting, op)
	r.leave(op, "example", 0, cause, detail, 0)
}

// leave leaves out a case for the time being.
func (r *run) leave(op *contract.Operation, what string, status int, cause, detail string, took time.Duration) Result {
	reason := strings.TrimSpace(cause)
	if detail != "" {
		reason += ": " + strings.TrimSpace(detail)
	}
	result := Result{op.OperationID, op.Surface(), what, status, Skipped, cause, reason, took}
	others := slices.DeleteFunc(r.waiting[op], func(other Result) bool { return other.Case == what })
	r.waiting[op] = append(others, result)
	return result
}

// settle reports a case that passed or failed.
func (r *run) settle(op *contract.Operation, what string, status int, verdict, reason string, took time.Duration) Result {
	result := Result{op.OperationID, op.Surface(), what, status, verdict, "", strings.TrimSpace(reason), took}
	r.settled[caseName(op, what)] = true
	r.waiting[op] = slices.DeleteFunc(r.waiting[op], func(other Result) bool { return other.Case == what })
	r.tell(result)
	return result
}

func caseName(op *contract.Operation, what string) string { return op.OperationID + ": " + what }

func (r *run) tell(result Result) {
	r.report.Results = append(r.report.Results, result)
	if r.Progress != nil {
		r.Progress(result)
	}
}
