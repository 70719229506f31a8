//! Alarms of actors: their time, and the run of a handler.

use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use worker::actor::Actor;
use worker::actor_alarm::ALARM_MS_MAX;
use worker::event::AlarmEnd;
use worker::instance::LogLevel;

use crate::dispatch::instance;
use crate::error::JsError;

/// When the alarm is due, in milliseconds; null without one.
#[op2]
pub fn op_alarms_read<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    Ok(match find(state, actor)?.alarm_ms()?? {
        Some(time_ms) => milliseconds(scope, time_ms),
        None => v8::null(scope).into(),
    })
}

/// Sets the alarm to a time in milliseconds; one below zero deletes it.
#[op2(fast)]
pub fn op_alarms_set(state: &mut OpState, actor: u32, time_ms: f64) -> Result<(), JsError> {
    // A float beyond the range saturates.
    let time_ms = (time_ms >= 0.0).then_some((time_ms as u64).min(ALARM_MS_MAX));
    Ok(find(state, actor)?.set_alarm(time_ms)??)
}

/// What to tell the handler: `[scheduledTime, retryCount, isRetry]`; null when the alarm moved
/// and the event is over.
#[op2]
pub fn op_alarms_begin<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let instance = instance(state);
    let Some((actor, run)) = instance.alarm_run(event) else { return Ok(v8::null(scope).into()) };
    match actor.alarm_begin()? {
        Ok(time_ms) => {
            let time = milliseconds(scope, time_ms);
            let count = v8::Integer::new_from_unsigned(scope, run.retry_count).into();
            let is_retry = v8::Boolean::new(scope, run.is_retry).into();
            Ok(v8::Array::new_with_elements(scope, &[time, count, is_retry]).into())
        }
        Err(end) => {
            instance.answer_alarm(event, end);
            Ok(v8::null(scope).into())
        }
    }
}

/// The handler returned.
#[op2(fast)]
pub fn op_alarms_end(state: &mut OpState, event: u32) -> Result<(), JsError> {
    let instance = instance(state);
    if let Some((actor, _)) = instance.alarm_run(event) {
        actor.alarm_end()??;
        instance.answer_alarm(event, AlarmEnd::Done);
    }
    Ok(())
}

/// The class has no handler any more (AL-10).
#[op2(fast)]
pub fn op_alarms_no_handler(state: &mut OpState, event: u32) {
    let instance = instance(state);
    let text = "An alarm was due, but the class has no alarm() handler; the alarm is deleted.";
    instance.log(event, LogLevel::Error, text.into());
    instance.answer_alarm(event, AlarmEnd::GivenUp);
}

/// The alarm that runs in an actor that is about to be aborted is not tried again (AL-9).
#[op2(fast)]
pub fn op_alarms_give_up(state: &mut OpState, actor: u32) {
    if let Some(actor) = instance(state).actor(actor) {
        actor.give_up_alarm();
    }
}

fn find(state: &OpState, actor: u32) -> Result<Rc<Actor>, JsError> {
    instance(state).actor(actor).ok_or_else(JsError::actor_gone)
}

#[allow(clippy::cast_precision_loss, reason = "times fit into 53 bits")]
fn milliseconds<'s>(scope: &mut v8::PinScope<'s, '_>, time_ms: u64) -> v8::Local<'s, v8::Value> {
    v8::Number::new(scope, time_ms as f64).into()
}
