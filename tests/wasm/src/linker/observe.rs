//! Log, clock, properties, metrics.

use super::Function;
use crate::host_call::{Answer, HostCall};
use crate::state::Metric;
use crate::status::Status;

const COUNTER: u32 = 0;
const HISTOGRAM: u32 = 2;

pub(super) const FUNCTIONS: &[Function] = &[
    ("proxy_log", "iii", log),
    ("proxy_get_log_level", "i", |call| {
        let level = call.state().log_level;
        call.return_word(0, level)
    }),
    ("proxy_get_current_time_nanoseconds", "i", |call| {
        let now = call.state().nanoseconds();
        call.return_long(0, now)
    }),
    ("proxy_get_property", "iiii", get_property),
    ("proxy_set_property", "iiii", set_property),
    ("proxy_define_metric", "iiii", define_metric),
    ("proxy_increment_metric", "iI", increment_metric),
    ("proxy_record_metric", "iI", record_metric),
    ("proxy_get_metric", "ii", |call| {
        let value = metric(call, |metric| Ok(metric.value))?;
        call.return_long(1, value)
    }),
];

fn log(call: &mut HostCall<'_, '_>) -> Answer {
    let level = call.word(0);
    if level > 5 {
        return Err(Status::BAD_ARGUMENT.into());
    }
    let text = call.text(1)?;
    call.state().log(level, text);
    Ok(())
}

fn get_property(call: &mut HostCall<'_, '_>) -> Answer {
    let path = call.property_path(0)?;
    let value = call.stream().and_then(|stream| stream.state.get(&path).or_else(|| stream.properties.get(&path)).cloned());
    call.return_bytes(2, value.ok_or(Status::NOT_FOUND)?)
}

fn set_property(call: &mut HostCall<'_, '_>) -> Answer {
    let (path, value) = (call.property_path(0)?, call.bytes(2)?);
    let mut stream = call.stream().ok_or(Status::NOT_FOUND)?;
    stream.state.insert(path, value);
    Ok(())
}

fn define_metric(call: &mut HostCall<'_, '_>) -> Answer {
    let (kind, name) = (call.word(0), call.text(1)?);
    if kind > HISTOGRAM {
        return Err(Status::BAD_ARGUMENT.into());
    }
    let id = {
        let metrics = &mut call.state().metrics;
        let known = metrics.iter().position(|metric| metric.name == name && metric.kind == kind);
        known.unwrap_or_else(|| {
            metrics.push(Metric { name, kind, value: 0, recorded: Vec::new() });
            metrics.len() - 1
        })
    };
    call.return_word(3, u32::try_from(id).map_err(|_| Status::INTERNAL_FAILURE)?)
}

fn metric<T>(call: &mut HostCall<'_, '_>, work: impl FnOnce(&mut Metric) -> Result<T, Status>) -> Answer<T> {
    let id = call.word(0) as usize;
    let metrics = &mut call.state().metrics;
    Ok(work(metrics.get_mut(id).ok_or(Status::NOT_FOUND)?)?)
}

fn increment_metric(call: &mut HostCall<'_, '_>) -> Answer {
    let amount = call.long(1).cast_signed();
    metric(call, |metric| match metric.kind {
        COUNTER if amount <= 0 => Err(Status::BAD_ARGUMENT),
        HISTOGRAM => Err(Status::BAD_ARGUMENT),
        _ => {
            metric.value = metric.value.saturating_add_signed(amount);
            Ok(())
        }
    })
}

fn record_metric(call: &mut HostCall<'_, '_>) -> Answer {
    let value = call.long(1);
    metric(call, |metric| match metric.kind {
        COUNTER => Err(Status::BAD_ARGUMENT),
        HISTOGRAM => {
            metric.recorded.push(value);
            Ok(())
        }
        _ => {
            metric.value = value;
            Ok(())
        }
    })
}
