//! From text to a tree that may be evaluated: parse, walk, refuse everything that is not on the list.
//!
//! The walk also finds which names are used, and which parts of them: `event.text` needs only that field, so only that
//! field is converted for an evaluation.

use std::collections::BTreeMap;

use pointsman_core::limits::EXPRESSION_SOURCE;
use rhai::{AST, Engine, Expr, FnCallExpr, Position, Stmt};

use crate::error::Fault;
use crate::functions;

/// Nodes of one expression.
const NODES: usize = 256;
/// Stack of the thread that parses: the parser recurses, and its own depth limit does not see every recursion.
pub(crate) const STACK: usize = 64 << 20;

/// An expression that may be evaluated.
pub(crate) struct Compiled {
    pub(crate) ast: AST,
    /// The top-level names, and what is needed of each.
    pub(crate) needs: BTreeMap<String, Need>,
}

/// What an expression needs of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// All of it.
    Whole,
    /// Only these fields, should it be an object.
    Fields(BTreeMap<String, Need>),
}

impl Need {
    fn add(&mut self, path: &[String]) {
        let Self::Fields(fields) = self else { return };
        match path.split_first() {
            None => *self = Self::Whole,
            Some((first, rest)) => fields.entry(first.clone()).or_insert_with(|| Self::Fields(BTreeMap::new())).add(rest),
        }
    }
}

/// Parses and checks one expression.
pub(crate) fn compile(engine: &Engine, source: &str) -> Result<Compiled, Fault> {
    if source.len() > EXPRESSION_SOURCE {
        return Err(Fault::at_start(
            "expr.too_long",
            format!("an expression has at most {EXPRESSION_SOURCE} bytes: put this into a script step"),
        ));
    }
    if source.trim().is_empty() {
        return Err(Fault::at_start("expr.syntax", "an expression is missing here"));
    }
    on_large_stack("expr.crashed", || {
        let ast = engine.compile_expression(source).map_err(|e| Fault::from_parsing("expr.syntax", &e))?;
        let mut walk = Walk { needs: BTreeMap::new(), nodes: 0 };
        for statement in ast.statements() {
            walk.statement(statement, 0)?;
        }
        Ok(Compiled { needs: walk.needs, ast })
    })
}

/// Runs `work` on a thread of its own with a large stack. What it drops, it drops there too.
pub(crate) fn on_large_stack<T: Send>(code: &'static str, work: impl FnOnce() -> Result<T, Fault> + Send) -> Result<T, Fault> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("parse".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Fault::at_start(code, "this text broke the parser: write it in another way")),
            Err(_) => Err(Fault::at_start(code, "no thread could be started to read this text: the machine is out of threads")),
        }
    })
}

struct Walk {
    needs: BTreeMap<String, Need>,
    nodes: usize,
}

impl Walk {
    fn enter(&mut self, at: Position, depth: usize) -> Result<usize, Fault> {
        self.nodes += 1;
        if depth > functions::DEPTH || self.nodes > NODES {
            return Err(Fault::new(
                "expr.too_complex",
                at,
                "this expression is too large or nested too deeply: use a script step",
            ));
        }
        Ok(depth + 1)
    }

    fn need(&mut self, name: &str, path: &[String]) {
        self.needs.entry(name.to_owned()).or_insert_with(|| Need::Fields(BTreeMap::new())).add(path);
    }

    fn statement(&mut self, statement: &Stmt, depth: usize) -> Result<(), Fault> {
        let depth = self.enter(statement.position(), depth)?;
        match statement {
            Stmt::Noop(_) => Ok(()),
            Stmt::Expr(inner) => self.expression(inner, depth),
            Stmt::FnCall(call, at) => self.call(call, *at, depth),
            Stmt::Block(block) => block.statements().iter().try_for_each(|s| self.statement(s, depth)),
            Stmt::If(parts, _) => {
                self.expression(&parts.expr, depth)?;
                parts.body.statements().iter().chain(parts.branch.statements()).try_for_each(|s| self.statement(s, depth))
            }
            other => Err(not_allowed(other.position())),
        }
    }

    fn expression(&mut self, expression: &Expr, depth: usize) -> Result<(), Fault> {
        let depth = self.enter(expression.position(), depth)?;
        match expression {
            Expr::DynamicConstant(..)
            | Expr::BoolConstant(..)
            | Expr::IntegerConstant(..)
            | Expr::FloatConstant(..)
            | Expr::CharConstant(..)
            | Expr::StringConstant(..)
            | Expr::Unit(_)
            | Expr::Property(..) => Ok(()),
            Expr::Variable(x, ..) => {
                self.need(&x.1, &[]);
                Ok(())
            }
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
                parts.iter().try_for_each(|e| self.expression(e, depth))
            }
            Expr::Map(x, _) => x.0.iter().try_for_each(|(_, e)| self.expression(e, depth)),
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().try_for_each(|e| self.expression(e, depth))
            }
            Expr::FnCall(call, at) | Expr::MethodCall(call, at) => self.call(call, *at, depth),
            Expr::Stmt(block) => block.statements().iter().try_for_each(|s| self.statement(s, depth)),
            Expr::Dot(x, ..) => match &x.lhs {
                Expr::Variable(name, ..) => {
                    let mut path = Vec::new();
                    self.chain(&x.rhs, &mut path, depth)?;
                    self.need(&name.1, &path);
                    Ok(())
                }
                other => {
                    self.expression(other, depth)?;
                    self.expression(&x.rhs, depth)
                }
            },
            // In `a[i].b` the tree says a[(i).b]: an index is never a path, so what stands in it is needed whole.
            Expr::Index(x, ..) => {
                self.expression(&x.lhs, depth)?;
                self.index(&x.rhs, depth)
            }
            other => Err(not_allowed(other.position())),
        }
    }

    /// What follows `name.`: fields as long as there are fields, then anything.
    fn chain(&mut self, rest: &Expr, path: &mut Vec<String>, depth: usize) -> Result<(), Fault> {
        let depth = self.enter(rest.position(), depth)?;
        match rest {
            Expr::Property(x, _) => {
                path.push(x.2.to_string());
                Ok(())
            }
            Expr::Dot(x, ..) => match &x.lhs {
                Expr::Property(field, _) => {
                    path.push(field.2.to_string());
                    self.chain(&x.rhs, path, depth)
                }
                other => {
                    self.expression(other, depth)?;
                    self.expression(&x.rhs, depth)
                }
            },
            Expr::Index(x, ..) => {
                if let Expr::Property(field, _) = &x.lhs {
                    path.push(field.2.to_string());
                } else {
                    self.expression(&x.lhs, depth)?;
                }
                self.index(&x.rhs, depth)
            }
            other => self.expression(other, depth),
        }
    }

    /// What stands in brackets, and what follows them.
    fn index(&mut self, inside: &Expr, depth: usize) -> Result<(), Fault> {
        let depth = self.enter(inside.position(), depth)?;
        match inside {
            Expr::Dot(x, ..) | Expr::Index(x, ..) => {
                self.index(&x.lhs, depth)?;
                self.index(&x.rhs, depth)
            }
            other => self.expression(other, depth),
        }
    }

    fn call(&mut self, call: &FnCallExpr, at: Position, depth: usize) -> Result<(), Fault> {
        if !functions::allowed(&call.name) || call.capture_parent_scope {
            let help = match functions::near(&call.name) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use a script step for it".to_owned(),
            };
            return Err(Fault::new("expr.function", at, format!("`{}` cannot be called in an expression: {help}", call.name)));
        }
        call.args.iter().try_for_each(|e| self.expression(e, depth))
    }
}

fn not_allowed(at: Position) -> Fault {
    Fault::new(
        "expr.not_allowed",
        at,
        "an expression only works out a value: use a script step for loops, variables and functions",
    )
}
