package turn

import (
	"context"

	"parley/db"
)

// Answer returns what a stored turn produced, waiting for its end wherever it
// runs. The fault of a turn that failed is its error; a log that was erased is a NotFound fault.
func (e *Engine) Answer(ctx context.Context, t db.Turn) (Answer, error) { return e.answerOf(ctx, t) }
