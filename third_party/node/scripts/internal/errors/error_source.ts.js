(function(){const{core}=__bootstrap.internals.node;const{op_node_get_first_expression}=core.ops;return{getErrorSourceExpression:op_node_get_first_expression}})()
