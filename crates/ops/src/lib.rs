//! What JavaScript may call, and the text of `js/`: the op table and the extension list that
//! both the snapshot and every isolate are made of.
//!
//! An op never enters an isolate; it looks at the calling one's values, asks the worker room,
//! and returns. One API has one stem here, in `js/`, in `test_apps/` and in `docs/api/`.

mod actor;
mod alarms;
mod bindings;
mod body;
mod bookmarks;
mod capability;
mod clone_format;
mod compatibility;
mod console;
mod crypto;
mod dispatch;
mod error;
mod eviction;
mod facets;
mod fetch;
mod form_data;
mod hibernation;
mod kv;
mod loader;
mod modules;
mod node;
mod pending;
mod request;
mod response;
mod scheduled;
mod serialize;
mod sql;
mod storage;
mod structured_clone;
mod stub;
mod testing;
mod timers;
mod websocket;

use std::sync::Arc;

use deno_core::{Extension, OpDecl};
use deno_web::{BlobStore, InMemoryBroadcastChannel};

deno_core::extension!(
    beryl,
    deps = [deno_webidl, deno_web],
    ops = [
        actor::op_actor_describe,
        actor::op_actor_section,
        actor::op_actor_section_end,
        actor::op_actor_abort,
        actor::op_actor_break,
        actor::op_actor_id_of_name,
        actor::op_actor_id_unique,
        actor::op_actor_id_check,
        actor::op_actor_exports,
        alarms::op_alarms_read,
        alarms::op_alarms_set,
        alarms::op_alarms_begin,
        alarms::op_alarms_end,
        alarms::op_alarms_no_handler,
        alarms::op_alarms_give_up,
        bindings::op_bindings_class,
        bindings::op_bindings_service,
        body::op_body_read,
        body::op_body_read_all,
        body::op_body_read_text,
        body::op_body_cancel,
        body::op_body_share,
        body::op_body_channel,
        body::op_body_write,
        body::op_body_close,
        body::op_body_fail,
        capability::op_capability_of_stub,
        capability::op_capability_of_class,
        capability::op_capability_of_body,
        capability::op_capability_of_value,
        capability::op_capability_lend,
        capability::op_capability_stub,
        capability::op_capability_drop,
        capability::op_capability_clone,
        capability::op_capability_list,
        capability::op_capability_open,
        bookmarks::op_bookmarks_current,
        bookmarks::op_bookmarks_at,
        bookmarks::op_bookmarks_restore,
        compatibility::op_compatibility_all,
        compatibility::op_compatibility_has,
        console::op_console_is_traced,
        console::op_console_trace,
        console::op_console_write,
        crypto::op_crypto_random_values,
        crypto::op_crypto_random_uuid,
        crypto::op_crypto_hasher,
        crypto::op_crypto_hasher_update,
        crypto::op_crypto_hasher_finish,
        crypto::op_crypto_timing_safe_equal,
        crypto::op_crypto_secret,
        crypto::op_crypto_generate,
        crypto::op_crypto_generate_rsa,
        crypto::op_crypto_import,
        crypto::op_crypto_import_parts,
        crypto::op_crypto_public,
        crypto::op_crypto_export,
        crypto::op_crypto_parts,
        crypto::op_crypto_cipher,
        crypto::op_crypto_oaep,
        crypto::op_crypto_sign,
        crypto::op_crypto_verify,
        crypto::op_crypto_agree,
        crypto::op_crypto_hkdf,
        crypto::op_crypto_pbkdf2,
        dispatch::op_dispatch_entry,
        dispatch::op_dispatch_call,
        dispatch::op_dispatch_invoke,
        dispatch::op_dispatch_return,
        dispatch::op_dispatch_run_waiting,
        dispatch::op_dispatch_kind,
        dispatch::op_dispatch_fail,
        dispatch::op_dispatch_constructed,
        eviction::op_eviction_hold,
        eviction::op_eviction_surveyed,
        facets::op_facets_check,
        facets::op_facets_bind,
        facets::op_facets_start,
        facets::op_facets_fail,
        facets::op_facets_abort,
        facets::op_facets_delete,
        facets::op_facets_clone,
        facets::op_facets_list,
        facets::op_facets_to_wake,
        facets::op_facets_woken,
        facets::op_facets_own_class,
        facets::op_facets_loaded_class,
        fetch::op_fetch_outbound,
        fetch::op_fetch_aborter,
        fetch::op_fetch_abort,
        fetch::op_fetch_send,
        form_data::op_form_data_parse,
        hibernation::op_hibernation_accept,
        hibernation::op_hibernation_sockets,
        hibernation::op_hibernation_socket,
        hibernation::op_hibernation_tags,
        hibernation::op_hibernation_set_auto_response,
        hibernation::op_hibernation_auto_response,
        hibernation::op_hibernation_answered,
        hibernation::op_hibernation_set_timeout,
        hibernation::op_hibernation_timeout,
        kv::op_kv_get,
        kv::op_kv_put,
        kv::op_kv_delete,
        kv::op_kv_list,
        kv::op_kv_next,
        kv::op_kv_get_many,
        kv::op_kv_put_many,
        kv::op_kv_delete_many,
        kv::op_kv_entries,
        loader::op_loader_find,
        loader::op_loader_define,
        loader::op_loader_fail,
        loader::op_loader_entrypoint,
        loader::op_loader_env,
        loader::op_loader_wasm_bytes,
        loader::op_loader_abort_isolate,
        loader::op_loader_compare,
        modules::op_modules_compile,
        modules::op_modules_find,
        node::op_node_hash,
        node::op_node_hmac,
        node::op_node_hash_update,
        node::op_node_hash_digest,
        node::op_node_hash_copy,
        node::op_node_equal,
        node::op_node_compare,
        node::op_node_is_utf8,
        node::op_node_text,
        pending::op_pending_take,
        request::op_request_line,
        request::op_request_headers,
        request::op_request_body,
        request::op_request_has_body,
        response::op_response_send,
        response::op_response_forward,
        response::op_response_head,
        response::op_response_body,
        scheduled::op_scheduled_take,
        scheduled::op_scheduled_end,
        sql::op_sql_exec,
        sql::op_sql_next,
        sql::op_sql_rows,
        sql::op_sql_one,
        sql::op_sql_columns,
        sql::op_sql_rows_read,
        sql::op_sql_rows_written,
        sql::op_sql_database_size,
        sql::op_sql_savepoint,
        sql::op_sql_release,
        storage::op_storage_begin,
        storage::op_storage_commit,
        storage::op_storage_roll_back,
        storage::op_storage_sync,
        storage::op_storage_delete_all,
        structured_clone::op_structured_clone_value,
        structured_clone::op_structured_clone_read,
        stub::op_stub_actor,
        stub::op_stub_own,
        stub::op_stub_call,
        stub::op_stub_call_path,
        stub::op_stub_pipeline,
        stub::op_stub_dup,
        stub::op_stub_dispose,
        testing::op_testing_ended,
        testing::op_testing_collect,
        testing::op_testing_advance,
        testing::op_testing_evict,
        timers::op_timers_start,
        timers::op_timers_stop,
        websocket::op_websocket_pair,
        websocket::op_websocket_id,
        websocket::op_websocket_accept,
        websocket::op_websocket_ready_state,
        websocket::op_websocket_waiting,
        websocket::op_websocket_send_text,
        websocket::op_websocket_send_bytes,
        websocket::op_websocket_close,
        websocket::op_websocket_drop,
        websocket::op_websocket_event,
        websocket::op_websocket_done,
        websocket::op_websocket_attach,
        websocket::op_websocket_attachment,
        websocket::op_websocket_respond,
        websocket::op_websocket_of_response,
    ],
    esm_entry_point = "ext:beryl/main.js",
    esm = [
        dir "../../js",
        "actor.js",
        "alarms.js",
        "async_kv.js",
        "base64.js",
        "bindings.js",
        "body.js",
        "bookmarks.js",
        "capability.js",
        "compatibility.js",
        "console.js",
        "context.js",
        "crypto.js",
        "define.js",
        "dispatch.js",
        "entry.js",
        "entrypoint.js",
        "env.js",
        "errors.js",
        "eviction.js",
        "exports.js",
        "facets.js",
        "fetch.js",
        "form_data.js",
        "global_events.js",
        "globals.js",
        "headers.js",
        "hibernation.js",
        "kv.js",
        "lent.js",
        "limits.js",
        "loader.js",
        "main.js",
        "memory.js",
        "modules.js",
        "namespace.js",
        "navigator.js",
        "node.js",
        "pending.js",
        "performance.js",
        "request.js",
        "request_init.js",
        "response.js",
        "response_init.js",
        "rpc.js",
        "rpc_promise.js",
        "rpc_stub.js",
        "rpc_values.js",
        "scheduled.js",
        "search_params.js",
        "section.js",
        "socket_arguments.js",
        "socket_events.js",
        "sockets.js",
        "sql.js",
        "storage.js",
        "streams.js",
        "structured_clone.js",
        "stub.js",
        "tail.js",
        "testing.js",
        "text_encoding.js",
        "thrown.js",
        "timers.js",
        "transaction.js",
        "url.js",
        "web.js",
        "websocket.js",
        "worker_code.js",
    ],
    lazy_loaded_js = [
        dir "../../js/lazy",
        "cloudflare_workers.js",
        "crypto_asymmetric.js",
        "crypto_derive.js",
        "crypto_jwk.js",
        "crypto_key.js",
        "crypto_operations.js",
        "crypto_symmetric.js",
        "digest_stream.js",
        "data_url.js",
        "event_fits.js",
        "event_source.js",
        "form_data_class.js",
        "identity_streams.js",
        "node_async_hooks.js",
        "node_crypto.js",
        "node_host.js",
        "node_modules.js",
        "node_process.js",
        "node_test.js",
        "node_timers.js",
        "performance_entries.js",
        "socket_client.js",
        "stream_fits.js",
        "subtle_crypto.js",
        "test_runner.js",
        "uncaught_events.js",
        "web_assembly.js",
    ],
    synthetic_esm = [
        "cloudflare:workers" = "ext:beryl/cloudflare_workers.js",
        "node:_stream_duplex" = "ext:beryl/node/_stream_duplex",
        "node:_stream_passthrough" = "ext:beryl/node/_stream_passthrough",
        "node:_stream_readable" = "ext:beryl/node/_stream_readable",
        "node:_stream_transform" = "ext:beryl/node/_stream_transform",
        "node:_stream_writable" = "ext:beryl/node/_stream_writable",
        "node:assert" = "ext:beryl/node/assert",
        "node:assert/strict" = "ext:beryl/node/assert/strict",
        "node:async_hooks" = "ext:beryl/node/async_hooks",
        "node:buffer" = "ext:beryl/node/buffer",
        "node:console" = "ext:beryl/node/console",
        "node:crypto" = "ext:beryl/node/crypto",
        "node:diagnostics_channel" = "ext:beryl/node/diagnostics_channel",
        "node:events" = "ext:beryl/node/events",
        "node:module" = "ext:beryl/node/module",
        "node:path" = "ext:beryl/node/path",
        "node:path/posix" = "ext:beryl/node/path/posix",
        "node:path/win32" = "ext:beryl/node/path/win32",
        "node:process" = "ext:beryl/node/process",
        "node:punycode" = "ext:beryl/node/punycode",
        "node:querystring" = "ext:beryl/node/querystring",
        "node:stream" = "ext:beryl/node/stream",
        "node:stream/consumers" = "ext:beryl/node/stream/consumers",
        "node:stream/promises" = "ext:beryl/node/stream/promises",
        "node:stream/web" = "ext:beryl/node/stream/web",
        "node:string_decoder" = "ext:beryl/node/string_decoder",
        "node:sys" = "ext:beryl/node/sys",
        "node:test" = "ext:beryl/node/test",
        "node:timers" = "ext:beryl/node/timers",
        "node:timers/promises" = "ext:beryl/node/timers/promises",
        "node:url" = "ext:beryl/node/url",
        "node:util" = "ext:beryl/node/util",
        "node:util/types" = "ext:beryl/node/util/types",
    ],
    middleware = instead,
);

/// Ops of the engine that hostile values can make abort the process are ours.
fn instead(op: OpDecl) -> OpDecl {
    match op.name {
        "op_structured_clone" => {
            op.with_implementation_from(&structured_clone::op_structured_clone_value())
        }
        "op_deserialize" => {
            op.with_implementation_from(&structured_clone::op_structured_clone_read())
        }
        _ => op,
    }
}

/// The supervisor of apps: the main module of the app host.
pub const APP_RUNNER: &str = include_str!("../../../js/host/app_runner.js");

/// The extensions of every isolate, in the order the snapshot was built with.
#[must_use]
pub fn extensions() -> Vec<Extension> {
    let blobs = Arc::new(BlobStore::default());
    let channel = InMemoryBroadcastChannel::default();
    let mut web = deno_web::deno_web::init(blobs, None, false, channel);
    let is_unused = |name: &str| UNUSED_OPS.iter().any(|unused| name.starts_with(unused));
    web.ops = web.ops.iter().filter(|op| !is_unused(op.name)).copied().collect();
    web.objects = web.objects.iter().filter(|class| class.name.0 == "Console").copied().collect();
    vec![deno_webidl::deno_webidl::init(), web, beryl::init()]
}

/// What deno_web's scripts that nobody here loads would call. Every op takes about 500 bytes of
/// every isolate, every method of a class too.
const UNUSED_OPS: &[&str] = &[
    "op_blob_create_object_url",
    "op_blob_from_object_url",
    "op_blob_revoke_object_url",
    "op_broadcast_",
    "op_geometry_",
    "op_lock_manager_",
    "op_readable_stream_resource_",
];
